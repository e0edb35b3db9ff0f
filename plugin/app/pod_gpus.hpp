#pragma once
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "device/gpu_ids.hpp"
#include "plugin/kubelet/pod_resources.hpp"

namespace railhead::app {

// What kubelet's podresources say about GPUs while it asks which devices a container should get.
//
// Kubelet does not say for whom it asks. It admits one pod after the other and one container of it
// after the other, and takes a container's resources in random order; so, if the container's GPUs
// were taken first, it is the one container that holds GPUs, does not hold the resource yet, and
// did not stand so at the question before about this resource. One that did never asked for it, or
// asked then and was not admitted; the latter is not known when it asks again, since otherwise a
// container with GPUs only would be taken for whoever asks after it. Init containers' devices are
// used again: must_include then names the pod. If that does not tell one container alone, the GPUs
// of the pod are unknown.
class PodGpus {
 public:
  struct Answer {
    std::string pod;                 // "namespace/name", "" when unknown
    std::vector<PciAddress> of_pod;  // those of the container; empty when unknown
    std::vector<PciAddress> free;    // those of the node that no pod holds; all when unknown
  };

  PodGpus(std::string socket, std::string proc_root)
      : socket_(std::move(socket)), proc_root_(std::move(proc_root)) {}

  // Asks kubelet, for at most half a second. From any thread.
  [[nodiscard]] Answer look(const std::string& resource,
                            const std::vector<std::string>& must_include,
                            const device::Inventory& inventory);

  // The same from what kubelet said.
  [[nodiscard]] Answer judge(const std::vector<kubelet::PodDevices>& pods,
                             const std::string& resource,
                             const std::vector<std::string>& must_include,
                             const device::Inventory& inventory);

 private:
  const std::string socket_;
  const std::string proc_root_;
  std::mutex mutex_;
  std::map<std::string, std::set<std::string>> without_;  // containers with GPUs only, by resource
};

}  // namespace railhead::app
