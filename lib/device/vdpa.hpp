#pragma once
#include <map>
#include <string>

#include "device/values.hpp"

namespace railhead::device {

// The vDPA devices that PCI functions offer, of each the first by name. A kernel without vDPA has
// none. Errors: io.
[[nodiscard]] Result<std::map<PciAddress, VdpaDevice>> read_vdpa_devices(
    const std::string& sysfs_root);

}  // namespace railhead::device
