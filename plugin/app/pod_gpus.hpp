#pragma once
#include <optional>
#include <string>
#include <vector>

#include "device/gpu_ids.hpp"
#include "plugin/kubelet/checkpoint.hpp"
#include "plugin/kubelet/pod_resources.hpp"

namespace railhead::app {

// What kubelet tells about GPUs while it asks which devices a container should get.
//
// It does not say for whom it asks. It serves one container after the other, takes a container's
// resources in random order, and saves its checkpoint when the container has them all. So the one
// whose devices, as podresources list them, are not in the checkpoint is the one that is being
// served, and all others stand there as they are listed; nothing has to be remembered between two
// questions. If a plugin lists its devices after the container's GPUs were taken and before the
// question, the container is in the checkpoint too: its GPUs are unknown then, and never another's.
class PodGpus {
 public:
  struct Answer {
    std::string pod;                 // "namespace/name", "" when unknown
    std::vector<PciAddress> of_pod;  // those of the container; empty when unknown
    std::vector<PciAddress> free;    // those of the node that no pod holds; all when unknown
    friend bool operator==(const Answer&, const Answer&) = default;
  };

  // `kubelet_dir`: the folder of pod-resources/ and device-plugins/.
  PodGpus(std::string kubelet_dir, std::string proc_root)
      : kubelet_dir_(std::move(kubelet_dir)), proc_root_(std::move(proc_root)) {}

  // Asks kubelet, for at most half a second, and reads its checkpoint. From any thread.
  [[nodiscard]] Answer look(const device::Inventory& inventory) const;

  // The same from what was found. `saved`: nothing when there is no checkpoint to be read.
  [[nodiscard]] static Answer judge(
      const std::vector<kubelet::PodDevices>& listed,
      const std::optional<std::vector<kubelet::SavedContainer>>& saved, const device::GpuIds& ids,
      const device::Inventory& inventory);

 private:
  const std::string kubelet_dir_;
  const std::string proc_root_;
};

}  // namespace railhead::app
