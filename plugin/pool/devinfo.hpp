#pragma once
// Device-info files, by which CNI plugins learn what a pod's device is (device-info specification
// 1.1.0 of the Network Plumbing Working Group).
#include "plugin/pool/allocate.hpp"
#include "plugin/pool/nodes.hpp"

namespace railhead::pool {

// Writes the device's file, 0644, so that readers see the old or the new one, never a part; and
// removes the one that it had under the resource `before`.
[[nodiscard]] Result<void> write_devinfo(const Pool& pool, const Member& member,
                                         const DeviceNodes& nodes, const std::string& before,
                                         const Places& places);

}  // namespace railhead::pool
