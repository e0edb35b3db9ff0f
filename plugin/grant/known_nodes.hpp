#pragma once
// What a container would get of a device, as the inventory shows it: nothing is read.
#include <string>
#include <vector>

#include "device/inventory.hpp"
#include "plugin/grant/nodes.hpp"

namespace railhead::grant {

// As NodeReader::read() would find them, and with them rdma_cm where it is. None: the device is
// gone, or lacks what is wanted of it.
[[nodiscard]] std::vector<DeviceNode> known_nodes(const Wanted& wanted,
                                                  const device::Inventory& inventory,
                                                  bool has_connection_manager);

// The host paths of those that are this device's, or its IOMMU group's, alone.
[[nodiscard]] std::vector<std::string> known_own_nodes(const Wanted& wanted,
                                                       const device::Inventory& inventory);

}  // namespace railhead::grant
