#pragma once
// Which devices belong to which resource.
#include <optional>
#include <string>
#include <vector>

#include "device/inventory.hpp"
#include "plugin/config/config.hpp"

namespace railhead::pool {

struct Member {
  PciAddress address;
  std::optional<int> numa_node;  // absent: no topology hint
  bool rdma = false;             // its RDMA devices are given too
  friend bool operator==(const Member&, const Member&) = default;
};

struct Pool {
  config::Resource resource;
  std::vector<Member> members;  // in PCI order
  friend bool operator==(const Pool&, const Pool&) = default;
};

struct LeftOut {
  PciAddress device;
  std::string reason;
  friend bool operator==(const LeftOut&, const LeftOut&) = default;
};

struct Selection {
  std::vector<Pool> pools;        // one per resource, in the configuration's order; may be empty
  std::vector<LeftOut> left_out;  // network functions that no resource may have, and why
};

// A device belongs to the first resource that takes it, in the configuration's order; within a
// resource the first selector that takes it decides what is given with it.
[[nodiscard]] Selection select(const config::Config& config, const device::Inventory& inventory);

}  // namespace railhead::pool
