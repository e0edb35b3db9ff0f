#pragma once
// The node's rails: the ports by which the devices of its pools send, in the order of their
// numbers. The agent writes it, the CNI program reads it, with the agent down and after a boot too.
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/pci_address.hpp"
#include "device/device_id.hpp"

namespace railhead::device {

// <state_root>/ports.json. Nothing when there is none; decode: it cannot be read, the message names
// it.
[[nodiscard]] Result<std::vector<PciAddress>> read_port_order(const std::string& state_root);
// Atomically, 0600, in a folder 0700.
[[nodiscard]] Result<void> write_port_order(const std::string& state_root,
                                            const std::vector<PciAddress>& ports);

// The port by which a device sends, as rails.hpp says: of a VF or sub-function its PF, where sysfs
// shows it. not_found: the device is not there.
[[nodiscard]] Result<PciAddress> port_of_device(const std::string& sysfs_root,
                                                const DeviceId& device);

}  // namespace railhead::device
