#pragma once
// The RDMA ports whose states the devices' health depends on, and how a change of them is noticed.
#include <map>
#include <string>
#include <vector>

#include "device/inventory.hpp"

namespace railhead::health {

// Of RDMA devices in the host's namespace. A RoCE port has the state of its netdev, of which link
// events tell; an InfiniBand port has one of its own, that is told by verbs to who holds the device
// open, and by nothing else.
struct Ports {
  using States = std::map<std::string, std::vector<host::RdmaPort>>;  // by the device's name

  std::vector<std::string> of_pfs;  // worth being held open; a VF would be kept from moving
  States untold_pfs;                // those of them of which no link event tells
  States untold_vfs;
};
[[nodiscard]] Ports ports_of(const device::Inventory& inventory);

}  // namespace railhead::health
