#include "plugin/app/counted_devices.hpp"

#include <algorithm>
#include <map>

namespace railhead::app {
namespace {

metrics::Holder holder_of(const ledger::Holding& holding) {
  const auto slash = holding.pod.find('/');
  if (slash == std::string::npos) return {"", holding.pod, holding.container};
  return {holding.pod.substr(0, slash), holding.pod.substr(slash + 1), holding.container};
}

}  // namespace

std::vector<metrics::CountedDevice> counted_devices(const Agent::State& state, bool all) {
  std::map<std::string, metrics::CountedDevice> devices;
  if (!state.snapshot) return {};
  for (const auto& function : state.snapshot->inventory->functions()) {
    if (function.rdma.empty() || (function.is_vf() && !all)) continue;
    const auto id = function.address.to_string();
    devices[id] = {id, function.address, "", {}};
  }
  std::map<std::string, const pool::Member*> members;
  for (const auto& [view, watched] : state.pools) {
    for (const auto& member : view->pool.members) {
      members.emplace(member.id, &member);
      if (all && member.rdma) devices[member.id] = {member.id, member.address, "", {}};
      const auto known = devices.find(member.id);
      if (known != devices.end()) known->second.resource = view->pool.resource.full_name();
    }
  }
  for (const auto& holding : state.holdings->all()) {
    const auto member = members.find(holding.device);
    if (member == members.end() || holding.pod.empty()) continue;
    auto& device = devices[holding.device];
    device.id = holding.device;
    device.address = member->second->address;
    if (!holding.resource.empty()) device.resource = holding.resource;
    const auto holder = holder_of(holding);
    if (std::ranges::find(device.holders, holder) == device.holders.end()) {
      device.holders.push_back(holder);
    }
  }
  std::vector<metrics::CountedDevice> sorted;
  for (auto& [id, device] : devices) sorted.push_back(std::move(device));
  return sorted;
}

}  // namespace railhead::app
