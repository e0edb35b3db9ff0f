#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "device/inventory.hpp"

namespace railhead::node {

// The node at one moment, as far as it answers. Never changed, only replaced.
struct Snapshot {
  using TimePoint = std::chrono::steady_clock::time_point;
  using WallTime = std::chrono::system_clock::time_point;

  std::shared_ptr<const device::Inventory> inventory;
  // The functions that the PCI bus shows, those that do not answer included.
  std::set<PciAddress> on_bus;
  // Functions whose PF, or they themselves, have not answered a reading since then; what the
  // inventory has of them, if anything, is of before.
  std::map<PciAddress, WallTime> silent;
  // When the reading of a function that led to this began.
  std::map<PciAddress, TimePoint> read_at;
};

}  // namespace railhead::node
