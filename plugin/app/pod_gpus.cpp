#include "plugin/app/pod_gpus.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace railhead::app {
namespace {

constexpr std::chrono::milliseconds kLimit{500};

// By "namespace/name" of the pod and name of the container.
using Containers = std::map<std::pair<std::string, std::string>, kubelet::SavedContainer>;

Containers containers_of(const std::vector<kubelet::PodDevices>& listed) {
  Containers containers;
  for (const auto& one : listed) {
    auto& container = containers[{one.pod_namespace + '/' + one.pod, one.container}];
    container.name = one.container;
    container.devices[one.resource] = {one.ids.begin(), one.ids.end()};
  }
  return containers;
}

std::set<PciAddress> gpus_of(const kubelet::SavedContainer& container, const device::GpuIds& ids) {
  std::set<PciAddress> gpus;
  for (const auto& [resource, devices] : container.devices) {
    for (const auto& id : devices) {
      if (const auto gpu = ids.find(id)) gpus.insert(*gpu);
    }
  }
  return gpus;
}

}  // namespace

PodGpus::Answer PodGpus::look(const device::Inventory& inventory) const {
  const auto listed =
      kubelet::list_pod_devices(kubelet_dir_ + "/pod-resources/kubelet.sock", kLimit);
  const auto saved =
      kubelet::read_checkpoint(kubelet_dir_ + "/device-plugins/kubelet_internal_checkpoint");
  // Kubelets without podresources exist; the choice then rests on the node alone.
  return judge(listed.value_or(std::vector<kubelet::PodDevices>{}),
               saved ? std::optional(kubelet::containers_of(*saved)) : std::nullopt,
               device::GpuIds(inventory, proc_root_), inventory);
}

PodGpus::Answer PodGpus::judge(const std::vector<kubelet::PodDevices>& listed,
                               const std::optional<std::vector<kubelet::SavedContainer>>& saved,
                               const device::GpuIds& ids, const device::Inventory& inventory) {
  std::set<PciAddress> held;
  std::map<std::string, std::set<PciAddress>> unfinished;  // by pod
  for (const auto& [name, container] : containers_of(listed)) {
    const auto gpus = gpus_of(container, ids);
    if (gpus.empty()) continue;
    held.insert(gpus.begin(), gpus.end());
    const bool finished = !saved || std::ranges::find(*saved, container) != saved->end();
    if (!finished) unfinished[name.first].insert(gpus.begin(), gpus.end());
  }
  Answer answer;
  if (unfinished.size() == 1) {
    const auto& [pod, gpus] = *unfinished.begin();
    answer.pod = pod;
    answer.of_pod.assign(gpus.begin(), gpus.end());
  }
  for (const auto& function : inventory.functions()) {
    if (function.is_gpu && !held.contains(function.address)) {
      answer.free.push_back(function.address);
    }
  }
  return answer;
}

}  // namespace railhead::app
