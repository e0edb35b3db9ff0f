#pragma once
// The RDMA ports whose states the devices' health depends on, and how a change of them is noticed.
#include <set>
#include <string>
#include <vector>

#include "device/inventory.hpp"

namespace railhead::health {

// RDMA devices in the host's namespace, parts of the inventory. A RoCE port has the state of its
// netdev, of which link events tell; an InfiniBand port has one of its own, that is told by verbs
// to who holds the device open, and by nothing else.
struct Ports {
  std::vector<const device::RdmaDevice*> of_pfs;  // worth being held open; a VF could not move then
  std::set<std::string> untold;                   // the names of those that no link event tells of
  std::set<PciAddress> functions_of_vfs;          // whose ports nothing tells of
};
// `vfs`: ids of the VFs whose own ports matter.
[[nodiscard]] Ports ports_of(const device::Inventory& inventory, const std::set<std::string>& vfs);

}  // namespace railhead::health
