#include "plugin/app/ipam_node.hpp"

#include "ipam/rail_leases.hpp"

namespace railhead::app {
namespace {

constexpr std::chrono::seconds kRetry{30};
constexpr std::chrono::seconds kLimit{10};
constexpr std::chrono::milliseconds kEnding{500};  // what is at work is waited for

std::string describe(const ipam::NodeRule& rule) {
  if (rule.cidr) return "cidr " + rule.cidr->to_string();
  return rule.name.empty() ? "list" : "name " + rule.name;
}

Result<ipam::NodeFacts> facts_of(const std::string& name, const ipam::NodeRule& rule,
                                 const IpamNode::OpenLinks& open_links) {
  ipam::NodeFacts facts{name, {}};
  if (!rule.cidr) return facts;
  const auto links = open_links();
  if (!links) return pass(links);
  const auto addresses = (*links)->all_addresses();
  if (!addresses) return pass(addresses);
  for (const auto& one : *addresses) {
    if (one.is_global()) facts.addresses.push_back(ipam::Address::of(one.address));
  }
  return facts;
}

// Under the lock that an ADD takes to read it.
Result<ipam::NodeIndex> write_down(const host::Host& host, const ipam::NodeIndex& wanted) {
  const Deadline deadline(host.clock, kLimit, {});
  const auto leases = ipam::RailLeases::open(host, deadline);
  if (!leases) return pass(leases);
  const auto before = ipam::read_node_index(host.roots.state);
  if (before && before->index == wanted.index) {
    if (*before == wanted) return wanted;
  } else if (before) {
    const auto pods = leases->all();
    if (!pods || !pods->empty()) {
      return fail(ErrorCode::busy,
                  "this node's index is {} ({}) and would become {} ({}), while {} pods have "
                  "addresses by it: it stays until they are gone",
                  before->index, before->source, wanted.index, wanted.source,
                  pods ? std::to_string(pods->size()) : "an unknown number of");
    }
  }
  if (auto written = ipam::write_node_index(host.roots.state, wanted); !written) {
    return pass(written);
  }
  return wanted;
}

Result<ipam::NodeIndex> settle_index(const host::Host& host, const ipam::NodeRule& rule,
                                     const std::string& node,
                                     const IpamNode::OpenLinks& open_links) {
  const auto facts = facts_of(node, rule, open_links);
  if (!facts) return pass(facts);
  const auto index = ipam::index_of(rule, *facts);
  if (!index) return pass(index);
  return write_down(host, {*index, describe(rule), node});
}

}  // namespace

IpamNode::IpamNode(Options options, Loop& loop, const host::Host& host, OpenLinks open_links,
                   const Configuration& configuration, Logger& log)
    : options_(std::move(options)),
      host_(host),
      open_links_(std::move(open_links)),
      configuration_(configuration),
      log_(log),
      retry_(loop, [this] { look(); }),
      worker_(loop.poster()) {}

IpamNode::~IpamNode() { stop(); }

void IpamNode::serve() {
  serving_ = true;
  look();
}

void IpamNode::stop() {
  serving_ = false;
  retry_.cancel();
  if (at_work_.valid()) at_work_.wait_for(kEnding);
}

std::vector<std::string> IpamNode::troubles() const {
  return trouble_.empty() ? std::vector<std::string>{} : std::vector<std::string>{trouble_};
}

void IpamNode::look() {
  const auto& rule = configuration_.config().ipam_node;
  if (!serving_ || worker_.busy()) return;  // that one looks again
  if (!rule) {
    settled_.reset();
    trouble_.clear();
    retry_.cancel();
    return;
  }
  if (settled_ == *rule && trouble_.empty()) return;
  std::promise<void> ending;
  at_work_ = ending.get_future();
  auto job = [this, rule = *rule, options = options_, open_links = open_links_, host = host_,
              ending = std::make_shared<std::promise<void>>(std::move(ending))]() mutable {
    host.roots.state = options.state_dir;
    auto settled = settle_index(host, rule, options.node, open_links);
    ending->set_value();
    return [this, rule = std::move(rule), settled = std::move(settled)] { settle(rule, settled); };
  };
  if (auto started = worker_.start(std::move(job)); !started) {
    retry_.set(host_.clock.now() + kRetry);
  }
}

void IpamNode::settle(const ipam::NodeRule& rule, const Result<ipam::NodeIndex>& settled) {
  const auto before = trouble_;
  trouble_ = settled ? "" : "ipamNode: " + settled.error().message;
  if (!trouble_.empty() && trouble_ != before) {
    log_.error("this node's index is not settled", {{"error", trouble_}});
  }
  if (settled && (settled_ != rule || !before.empty())) {
    log_.info("this node's index for IPAM",
              {{"index", settled->index}, {"source", settled->source}});
  }
  settled_ = rule;
  if (!trouble_.empty()) retry_.set(host_.clock.now() + kRetry);
  if (configuration_.config().ipam_node != rule) look();
}

}  // namespace railhead::app
