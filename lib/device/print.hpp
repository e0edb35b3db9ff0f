#pragma once
#include <string>

#include "device/inventory.hpp"

namespace railhead::device {

// For people, in UTF-8: NUMA nodes, host bridges, PCIe switches, and below them GPUs, PFs, VFs and
// their RDMA devices.
[[nodiscard]] std::string format_tree(const Inventory& inventory);

// The distance of each GPU to each network port (PFs, and NICs without VFs), as nvidia-smi's.
[[nodiscard]] std::string format_matrix(const Inventory& inventory);

}  // namespace railhead::device
