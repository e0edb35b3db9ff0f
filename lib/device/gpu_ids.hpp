#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "device/inventory.hpp"

namespace railhead::device {

// What NVIDIA's kernel driver calls a GPU, in <proc>/driver/nvidia/gpus/<BDF>/information; nothing
// for another driver's. Asks the driver, which may take its time, or for ever. Errors: unavailable
// (the driver does not know it before the GPU was used for the first time), or the file's.
[[nodiscard]] Result<std::optional<std::string>> read_gpu_uuid(const std::string& proc_root,
                                                               const PciAddress& gpu);

// The GPU that a device plugin's id names: a PCI address, or NVIDIA's "GPU-<uuid>" (with "::3"
// behind it where GPUs are shared by time). Nothing for any other id and for what is no GPU of the
// inventory.
class GpuIds {
 public:
  explicit GpuIds(const Inventory& inventory);
  [[nodiscard]] std::optional<PciAddress> find(std::string_view id) const;

 private:
  std::map<std::string, PciAddress, std::less<>> by_id_;
};

}  // namespace railhead::device
