#include "plugin/ledger/asking.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace railhead::ledger {
namespace {

struct Container {
  std::string name;
  std::map<std::string, std::set<std::string>> devices;  // ids, by resource
  friend auto operator<=>(const Container&, const Container&) = default;
};
using Containers = std::map<std::pair<std::string, std::string>, Container>;  // by pod and name

Containers containers_of(const std::vector<Listed>& listed) {
  Containers containers;
  for (const auto& one : listed) {
    if (one.is_claimed) continue;  // kubelet's file, which is compared with it, has none
    auto& container = containers[{one.pod, one.container}];
    container.name = one.container;
    container.devices[one.resource] = {one.ids.begin(), one.ids.end()};
  }
  return containers;
}

std::set<Container> containers_of(const std::vector<Saved>& saved) {
  Containers containers;
  for (const auto& one : saved) {
    auto& container = containers[{one.pod_uid, one.container}];
    container.name = one.container;
    container.devices[one.resource].insert(one.ids.begin(), one.ids.end());
  }
  std::set<Container> all;
  for (auto& [name, container] : containers) all.insert(std::move(container));
  return all;
}

std::set<PciAddress> gpus_of(const Container& container, const device::GpuIds& ids) {
  std::set<PciAddress> gpus;
  for (const auto& [resource, devices] : container.devices) {
    for (const auto& id : devices) {
      if (const auto gpu = ids.find(id)) gpus.insert(*gpu);
    }
  }
  return gpus;
}

}  // namespace

Asking who_asks(const std::vector<Listed>& listed, const std::optional<std::vector<Saved>>& saved,
                const device::GpuIds& ids, const device::Inventory& inventory) {
  const auto finished = saved ? containers_of(*saved) : std::set<Container>{};
  std::set<PciAddress> held;
  std::map<std::string, std::set<PciAddress>> unfinished;  // by pod
  for (const auto& [name, container] : containers_of(listed)) {
    const auto gpus = gpus_of(container, ids);
    if (gpus.empty()) continue;
    held.insert(gpus.begin(), gpus.end());
    if (saved && !finished.contains(container)) {
      unfinished[name.first].insert(gpus.begin(), gpus.end());
    }
  }
  Asking asking;
  if (unfinished.size() == 1) {
    const auto& [pod, gpus] = *unfinished.begin();
    asking.pod = pod;
    asking.of_pod.assign(gpus.begin(), gpus.end());
  }
  for (const auto& function : inventory.functions()) {
    if (function.is_gpu && !held.contains(function.address))
      asking.free.push_back(function.address);
  }
  return asking;
}

}  // namespace railhead::ledger
