#pragma once
// The node's rails: the ports by which the devices of its pools send. The agent writes them, the
// CNI program reads them, with the agent down and after a boot too.
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/pci_address.hpp"
#include "device/device_id.hpp"

namespace railhead::device {

// Where a port stands: the number of its rail, and of its plane in it, both from 0. A rail whose
// NIC has one port has plane 0 alone.
struct RailPlace {
  uint32_t rail = 0;
  uint32_t plane = 0;
  friend auto operator<=>(const RailPlace&, const RailPlace&) = default;
};

// By rail its ports, in the order of their planes.
using RailMap = std::vector<std::vector<PciAddress>>;

[[nodiscard]] std::optional<RailPlace> place_of(const RailMap& rails, const PciAddress& port);

constexpr size_t kMaxRails = 1024;

// <state_root>/rail_map.json. Nothing when there is none; decode: it cannot be read, the message
// names it.
[[nodiscard]] Result<RailMap> read_rail_map(const std::string& state_root);
// Atomically, 0600, in a folder 0700.
[[nodiscard]] Result<void> write_rail_map(const std::string& state_root, const RailMap& rails);

// The port by which a device sends, as rails.hpp says: of a VF or sub-function its PF, where sysfs
// shows it. not_found: the device is not there.
[[nodiscard]] Result<PciAddress> port_of_device(const std::string& sysfs_root,
                                                const DeviceId& device);

}  // namespace railhead::device
