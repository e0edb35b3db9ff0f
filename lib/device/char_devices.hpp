#pragma once
#include <map>
#include <string>
#include <vector>

#include "device/values.hpp"
#include "host/files.hpp"

namespace railhead::device {

// The character devices of a PCI function, by RDMA device name ("mlx5_4"), sorted by kind. Read
// from sysfs: the folders infiniband_verbs and infiniband_mad show them in every
// network namespace, also while the RDMA device is in a pod's; RDMA netlink does not know issm.
// `function` is the folder /sys/bus/pci/devices/<BDF>. No RDMA: an empty map.
// CharDevice::dev costs another file per device; a scan of the node leaves it "".
enum class DevNumbers { read, leave };
[[nodiscard]] Result<std::map<std::string, std::vector<CharDevice>>> read_char_devices(
    const host::Directory& function, DevNumbers numbers = DevNumbers::read);

}  // namespace railhead::device
