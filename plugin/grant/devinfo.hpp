#pragma once
// Device-info files, by which CNI plugins learn what a pod's device is (device-info specification
// 1.1.0 of the Network Plumbing Working Group).
#include "plugin/grant/grant.hpp"

namespace railhead::grant {

// The name of the file, as sriov-network-device-plugin calls it:
// "rdma-vf-0000:3b:00.2-device.json" of rdma/vf. It is one, whatever the resource is called.
[[nodiscard]] std::string devinfo_file(const std::string& resource, const std::string& id);

// Writes the device's file, 0644, so that readers see the old or the new one, never a part; and
// removes the one that it had under the resource `before`.
[[nodiscard]] Result<void> write_devinfo(const std::string& resource, const Wanted& device,
                                         const DeviceNodes& nodes, const std::string& before,
                                         const Places& places);

// Removes the devinfo files that give() left in this boot, and its records, of devices that are on
// this node no more; returns these. Files of others, and of devices that are there, stay, whoever
// has them.
[[nodiscard]] Result<std::vector<PciAddress>> remove_stale_devinfo(
    const device::Inventory& inventory, const Places& places);

}  // namespace railhead::grant
