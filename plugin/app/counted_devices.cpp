#include "plugin/app/counted_devices.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace railhead::app {
namespace {

metrics::Holder holder_of(const ledger::Holding& holding) {
  const auto slash = holding.pod.find('/');
  if (slash == std::string::npos) return {"", holding.pod, holding.container};
  return {holding.pod.substr(0, slash), holding.pod.substr(slash + 1), holding.container};
}

// What the node and its pools say of devices, by id.
struct Known {
  std::map<std::string, PciAddress> sub_functions;  // the addresses of their functions
  std::map<std::string, std::string> resources;     // that members belong to
  std::set<std::string> own;                        // resources that are served

  // Of the PCI function; nothing of a sub-function that has gone.
  [[nodiscard]] std::optional<PciAddress> address_of(const std::string& id) const {
    const auto found = sub_functions.find(id);
    return found == sub_functions.end() ? PciAddress::parse(id) : found->second;
  }
  // An attachment's resource is not known, and other programs' resources are none of ours.
  [[nodiscard]] bool concerns(const ledger::Holding& holding) const {
    return holding.resource.empty() || own.contains(holding.resource) ||
           resources.contains(holding.device);
  }
};

Known known_of(const Agent::State& state) {
  Known known;
  for (const auto& function : state.snapshot->inventory->functions()) {
    for (const auto& one : function.sub_functions) {
      known.sub_functions.emplace(one.name, function.address);
    }
  }
  for (const auto& [view, watched] : state.pools) {
    const auto name = view->pool.resource.full_name();
    known.own.insert(name);
    for (const auto& member : view->pool.members) known.resources[member.id] = name;
  }
  return known;
}

}  // namespace

std::vector<metrics::CountedDevice> counted_devices(const Agent::State& state, bool all) {
  if (!state.snapshot) return {};
  const auto known = known_of(state);
  std::map<std::string, metrics::CountedDevice> devices;
  const auto device = [&](const std::string& id, const PciAddress& address) -> auto& {
    const auto [entry, is_new] = devices.try_emplace(id);
    if (is_new) {
      const auto resource = known.resources.find(id);
      entry->second = {id, address, resource == known.resources.end() ? "" : resource->second, {}};
    }
    return entry->second;
  };
  for (const auto& function : state.snapshot->inventory->functions()) {
    if (function.rdma.empty() || (function.is_vf() && !all)) continue;
    device(function.address.to_string(), function.address);
  }
  for (const auto& [view, watched] : state.pools) {
    for (const auto& member : view->pool.members) {
      if (all && member.rdma) device(member.id, member.address);
    }
  }
  for (const auto& holding : state.holdings->all()) {
    const auto address = known.address_of(holding.device);
    if (!address || holding.pod.empty() || !known.concerns(holding)) continue;
    auto& held = device(holding.device, *address);
    if (!holding.resource.empty()) held.resource = holding.resource;
    const auto holder = holder_of(holding);
    if (std::ranges::find(held.holders, holder) == held.holders.end()) {
      held.holders.push_back(holder);
    }
  }
  std::vector<metrics::CountedDevice> sorted;
  for (auto& [id, one] : devices) sorted.push_back(std::move(one));
  return sorted;
}

}  // namespace railhead::app
