#pragma once
// Whose RDMA ports are worth following: those of physical functions. A VF's port is its PF's, and
// to hold a VF open would only be in the way of what moves it.
#include <set>
#include <string>
#include <vector>

#include "device/inventory.hpp"

namespace railhead::health {

struct Ports {
  std::vector<std::string> devices;   // RDMA devices in the host's namespace
  std::set<std::string> with_netdev;  // those of them whose link events tell the port's state too
};
[[nodiscard]] Ports ports_of(const device::Inventory& inventory);

// Whether the ports of the device are no longer as the inventory has them.
[[nodiscard]] bool ports_changed(const device::Inventory& inventory, const host::RdmaLink& now);

}  // namespace railhead::health
