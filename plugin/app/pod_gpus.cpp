#include "plugin/app/pod_gpus.hpp"

#include <algorithm>

namespace railhead::app {
namespace {

constexpr std::chrono::milliseconds kLimit{500};

struct Container {
  std::string pod;
  std::vector<PciAddress> gpus;
  bool has_resource = false;
  bool has_must_include = false;  // it, or another container of its pod
};

std::map<std::string, Container> containers_of(const std::vector<kubelet::PodDevices>& pods,
                                               const std::string& resource,
                                               const std::vector<std::string>& must_include,
                                               const device::GpuIds& gpus) {
  std::set<std::string> reused_by;  // pods
  std::map<std::string, Container> containers;
  for (const auto& one : pods) {
    auto pod = one.pod_namespace + '/' + one.pod;
    auto& container = containers[pod + '/' + one.container];
    if (one.resource == resource) {
      container.has_resource = true;
      const auto held = [&](const auto& id) { return std::ranges::binary_search(one.ids, id); };
      if (std::ranges::any_of(must_include, held)) reused_by.insert(pod);
    }
    for (const auto& id : one.ids) {
      if (const auto gpu = gpus.find(id)) container.gpus.push_back(*gpu);
    }
    container.pod = std::move(pod);
  }
  for (auto& [name, container] : containers) {
    auto& gpus_of = container.gpus;
    std::ranges::sort(gpus_of);
    gpus_of.erase(std::unique(gpus_of.begin(), gpus_of.end()), gpus_of.end());  // shared by time
    container.has_must_include = reused_by.contains(container.pod);
  }
  return containers;
}

}  // namespace

PodGpus::Answer PodGpus::look(const std::string& resource,
                              const std::vector<std::string>& must_include,
                              const device::Inventory& inventory) {
  const auto pods = kubelet::list_pod_devices(socket_, kLimit);
  // Kubelets without podresources exist; the choice then rests on the node alone.
  return judge(pods.value_or(std::vector<kubelet::PodDevices>{}), resource, must_include,
               inventory);
}

PodGpus::Answer PodGpus::judge(const std::vector<kubelet::PodDevices>& pods,
                               const std::string& resource,
                               const std::vector<std::string>& must_include,
                               const device::Inventory& inventory) {
  const auto containers =
      containers_of(pods, resource, must_include, device::GpuIds(inventory, proc_root_));
  Answer answer;
  std::set<PciAddress> held;
  std::set<std::string> without;
  std::vector<const Container*> candidates;
  const std::lock_guard lock(mutex_);
  const auto& before = without_[resource];
  for (const auto& [name, container] : containers) {
    held.insert(container.gpus.begin(), container.gpus.end());
    if (container.gpus.empty() || container.has_resource) continue;
    without.insert(name);
    const bool fits = must_include.empty() ? !before.contains(name) : container.has_must_include;
    if (fits) candidates.push_back(&container);
  }
  if (candidates.size() == 1) {
    answer.pod = candidates.front()->pod;
    answer.of_pod = candidates.front()->gpus;
  }
  without_[resource] = std::move(without);
  for (const auto& function : inventory.functions()) {
    if (function.is_gpu && !held.contains(function.address))
      answer.free.push_back(function.address);
  }
  return answer;
}

}  // namespace railhead::app
