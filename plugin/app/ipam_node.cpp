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

// Whether nobody has addresses by another index. By the leases themselves: node.json may be gone,
// or another's.
Result<void> may_become(const ipam::RailLeases& leases, const ipam::NodeIndex& wanted) {
  const auto pods = leases.all();
  if (!pods) {
    return fail(ErrorCode::busy,
                "this node's index would be {} ({}), and it is not known who has "
                "addresses by another: {}",
                wanted.index, wanted.source, pods.error().message);
  }
  for (const auto& pod : *pods) {
    if (pod.node == wanted.index) continue;
    return fail(ErrorCode::busy,
                "this node's index would become {} ({}), while pod {} has addresses by {}: no pod "
                "gets an address until those by it are gone",
                wanted.index, wanted.source, pod.pod.empty() ? pod.container_id : pod.pod,
                pod.node ? std::to_string(*pod.node) : "an unknown one");
  }
  return {};
}

// Under the lock that an ADD takes to read it. What is in force stays, and is doubted, where the
// rule says another or none: the cluster may have given it to another node.
Result<ipam::NodeIndex> write_down(const host::Host& host, const Result<ipam::NodeIndex>& wanted) {
  const Deadline deadline(host.clock, kLimit, {});
  const auto leases = ipam::RailLeases::open(host, deadline);
  if (!leases) return pass(leases);
  auto before = ipam::read_node_index(host.roots.state);
  Result<void> good;
  if (!wanted) {
    good = pass(wanted);
  } else if (!before || before->index != wanted->index) {
    good = may_become(*leases, *wanted);
  }
  if (!good) {
    if (before && before->doubt != good.error().message) {
      before->doubt = good.error().message;
      (void)ipam::write_node_index(host.roots.state, *before);
    }
    return pass(good);
  }
  if (before && *before == *wanted) return wanted;
  if (auto written = ipam::write_node_index(host.roots.state, *wanted); !written) {
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
  return write_down(host, index ? Result<ipam::NodeIndex>({*index, describe(rule), node, ""})
                                : Result<ipam::NodeIndex>(pass(index)));
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
  // The node's addresses may change, and node.json be lost.
  retry_.set(host_.clock.now() + kRetry);
  if (configuration_.config().ipam_node != rule) look();
}

}  // namespace railhead::app
