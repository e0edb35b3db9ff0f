#pragma once
#include <optional>
#include <string>
#include <vector>

#include "device/gpu_ids.hpp"
#include "plugin/ledger/holdings.hpp"

namespace railhead::ledger {

// For whom kubelet asks which devices a container should get.
//
// It does not say. It serves one container after the other, takes a container's resources in random
// order, and saves its checkpoint when the container has them all. So the one whose devices, as
// podresources list them, are not in the checkpoint is the one that is being served, and all others
// stand there as they are listed; nothing has to be remembered between two questions. If a plugin
// lists its devices after the container's GPUs were taken and before the question, the container is
// in the checkpoint too: its GPUs are unknown then, and never another's.
struct Asking {
  std::string pod;                 // "namespace/name", "" when unknown
  std::vector<PciAddress> of_pod;  // the container's GPUs; empty when unknown
  std::vector<PciAddress> free;    // those of the node that no pod holds; all when unknown
  friend bool operator==(const Asking&, const Asking&) = default;
};

// `saved`: nothing when there is no checkpoint to be read.
[[nodiscard]] Asking who_asks(const std::vector<Listed>& listed,
                              const std::optional<std::vector<Saved>>& saved,
                              const device::GpuIds& ids, const device::Inventory& inventory);

}  // namespace railhead::ledger
