#include "plugin/app/counted_devices.hpp"

#include <algorithm>
#include <map>

namespace railhead::app {
namespace {

using ById = std::map<std::string, metrics::CountedDevice>;

void hold(ById& devices, const pool::Pool& pool, const kubelet::PodDevices& by) {
  const metrics::Holder holder{by.pod_namespace, by.pod, by.container};
  for (const auto& id : by.ids) {
    for (const auto* member : pool::members_of(pool, id)) {
      auto& device =
          devices
              .try_emplace(member->id,
                           metrics::CountedDevice{member->id, member->address, by.resource, {}})
              .first->second;
      if (std::ranges::find(device.holders, holder) == device.holders.end()) {
        device.holders.push_back(holder);
      }
    }
  }
}

}  // namespace

std::vector<metrics::CountedDevice> counted_devices(const Daemon::State& state,
                                                    const std::vector<kubelet::PodDevices>& pods,
                                                    bool all) {
  ById devices;
  for (const auto& function : state.inventory->functions()) {
    if (function.rdma.empty() || (function.is_vf() && !all)) continue;
    const auto id = function.address.to_string();
    devices[id] = {id, function.address, "", {}};
  }
  for (const auto& [view, watched] : state.pools) {
    const auto resource = view->pool.resource.full_name();
    for (const auto& member : view->pool.members) {
      if (all && member.rdma) devices[member.id] = {member.id, member.address, "", {}};
      const auto known = devices.find(member.id);
      if (known != devices.end()) known->second.resource = resource;
    }
    for (const auto& pod : pods) {
      if (pod.resource == resource) hold(devices, view->pool, pod);
    }
  }
  std::vector<metrics::CountedDevice> sorted;
  for (auto& [id, device] : devices) sorted.push_back(std::move(device));
  return sorted;
}

}  // namespace railhead::app
