#pragma once
// Whether a pod's containers have the NICs that are nearest to their GPUs.
#include <map>
#include <string>
#include <vector>

#include "base/container_devices.hpp"
#include "ipc/resolve.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::app {

// The pairs of each container, its own GPUs and its own devices, that are further apart than they
// would be with other devices of the same resources: of all pairings with a port for each GPU (or a
// GPU for each port) the one whose distances sum up lowest is compared, once over the container's
// ports and once over all those of the resources. Empty for a container whose GPUs are not known
// (by claims, MIG's and index ids). Pure. `pools` by resource.
[[nodiscard]] std::vector<ipc::FarPair> far_pairs(
    const std::vector<ContainerDevices>& containers,
    const std::map<std::string, const pool::Pool*>& pools, const device::Inventory& inventory);

}  // namespace railhead::app
