#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "device/inventory.hpp"

namespace railhead::device {

// The GPU that a device plugin's id names: a PCI address, or NVIDIA's "GPU-<uuid>" (with "::3"
// behind it where GPUs are shared by time), which its kernel driver tells in
// <proc>/driver/nvidia/gpus/<BDF>/information. Nothing for any other id and for what is no GPU of
// the inventory.
class GpuIds {
 public:
  GpuIds(const Inventory& inventory, const std::string& proc_root);
  [[nodiscard]] std::optional<PciAddress> find(std::string_view id) const;

 private:
  std::map<std::string, PciAddress, std::less<>> by_id_;
};

}  // namespace railhead::device
