#pragma once
#include <string>

#include "plugin/print/details.hpp"

namespace railhead::print {

// For people, in UTF-8: NUMA nodes, host bridges, PCIe switches, and below them GPUs, PFs, VFs and
// their RDMA devices.
[[nodiscard]] std::string inventory_text(const device::Inventory& inventory,
                                         const Details& details);

// For programs: docs/topology.md lists the keys.
[[nodiscard]] std::string inventory_json(const device::Inventory& inventory,
                                         const Details& details);

}  // namespace railhead::print
