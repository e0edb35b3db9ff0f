#include "plugin/app/agent.hpp"

#include <set>

#include "plugin/app/far_pairs.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::app {
namespace {

constexpr std::chrono::seconds kQuestionsRetry{10};

ledger::Ledger::Options ledger_options(const Options& options) {
  auto all = options.ledger;
  all.own_pod = options.pod_name;
  return all;
}

Pools::Options pools_options(const Options& options) {
  return {options.kubelet_dir, options.devinfo_dir, options.state_dir,
          options.use_cdi ? std::optional(options.cdi) : std::nullopt, options.scan};
}

// A pod in the host's network has the host's name, which is the node's unless somebody chose
// another.
std::string node_name(const Options& options) {
  return options.cluster.node.empty() ? host_name() : options.cluster.node;
}

}  // namespace

Agent::Agent(const Options& options, const host::Host& host, Loop& loop, host::Events& events,
             node::Adapters adapters, metrics::Metrics& metrics, Logger& log)
    : news_(log),
      configuration_({options.config_file, options.resource_prefix, options.state_dir}, loop,
                     host.clock, metrics, news_, log,
                     [this] {
                       pools_.reconfigured();
                       ipam_node_.look();
                     }),
      node_(loop, host.clock, events, adapters, host.roots, metrics, log,
            [this](auto event) { node_changed(event); }),
      holders_({options.kubelet_dir, options.state_dir, ledger_options(options)}, loop, host,
               claimed_, news_, log, [this] { holders_changed(); }),
      pools_(pools_options(options), host, loop, configuration_, node_, holders_, metrics, news_,
             log),
      owners_(
          {}, loop, host.clock, holders_.ledger(),
          [this](const auto& containers) { return far_pairs(containers); }, metrics),
      networks_({options.cluster, host.roots.run, host.roots.sysfs, options.devinfo_dir}, loop,
                host.clock, claimed_, metrics, log),
      questions_(kQuestionsRetry, loop, host, owners_, networks_, metrics, log),
      unattached_(
          loop, host.clock, owners_, [this] { return inventory(); },
          [this](const Unattached::Pod& pod, const std::string& text) {
            networks_.warn({pod.question.pod_namespace, pod.question.pod_name}, pod.uid, text);
          }),
      condition_(loop, host.clock, networks_,
                 [this] {
                   auto now = state();
                   return NodeState{now.snapshot != nullptr, now.config_current, now.troubles};
                 }),
      baselines_(loop, host, adapters.links, log),
      ipam_node_({node_name(options), options.state_dir}, loop, host, adapters.links,
                 configuration_, log),
      has_devices_(!options.cluster.is_alone),
      tells_condition_(has_devices_ && options.cluster.has_condition),
      parts_(has_devices_ ? std::vector<Part*>{&configuration_, &pools_, &node_, &holders_,
                                               &networks_, &questions_, &unattached_, &condition_,
                                               &baselines_, &ipam_node_}
                          : std::vector<Part*>{&networks_, &questions_}) {
  if (!has_devices_) return;
  networks_.on_started([this](const ipc::PodNews& pod, const std::string& uid) {
    std::set<std::string> attached;
    for (const auto& one : pod.attached) attached.insert(one.device);
    unattached_.started({{pod.pod_namespace, pod.pod_name, pod.pod_uid}, uid, attached});
  });
}

Result<void> Agent::start() {
  for (auto* part : parts_) {
    if (auto started = part->start(); !started) return pass(started, part->name());
  }
  return {};
}

Result<void> Agent::serve() {
  serving_ = true;
  if (has_devices_) {
    configuration_.keep();
    holders_.keep();
    if (auto serving = pools_.serve(); !serving) return serving;
    baselines_.serve();
    ipam_node_.serve();
  }
  networks_.serve();
  questions_.serve();
  if (tells_condition_) condition_.serve();
  return {};
}

void Agent::stop() {
  for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) (*part)->stop();
  owners_.stop();
}

void Agent::reload() {
  if (!has_devices_) return;
  configuration_.reload();
  node_.look("signal");
}

void Agent::node_changed(std::optional<NodeWatch::TimePoint> event) {
  if (const auto snapshot = node_.latest()) holders_.set_inventory(snapshot->inventory);
  pools_.changed(event);
}

void Agent::holders_changed() {
  baselines_.look(*holders_.ledger().holdings());
  pools_.changed(std::nullopt);
}

std::shared_ptr<const device::Inventory> Agent::inventory() const {
  const auto snapshot = node_.latest();
  return snapshot ? snapshot->inventory : nullptr;
}

std::vector<ipc::FarPair> Agent::far_pairs(const std::vector<ContainerDevices>& containers) const {
  const auto known = inventory();
  if (!known) return {};
  const auto served = pools_.served();
  std::map<std::string, const pool::Pool*> pools;
  for (const auto& one : served) {
    pools.emplace(one.view->pool.resource.full_name(), &one.view->pool);
  }
  return app::far_pairs(containers, pools, *known);
}

Agent::State Agent::state() const {
  State state{node_.latest(),
              holders_.ledger().holdings(),
              holders_.ledger().unknown_because(),
              pools_.served(),
              {},
              !has_devices_ || configuration_.is_current(),
              serving_,
              {}};
  for (const auto* part : parts_) {
    for (const auto& trouble : part->troubles()) {
      state.troubles.push_back(fmt::format("{}: {}", part->name(), trouble));
    }
  }
  return state;
}

}  // namespace railhead::app
