#pragma once
// What a container gets with the devices that kubelet chose for it.
#include <map>
#include <string>
#include <vector>

#include "plugin/pool/select.hpp"

namespace railhead::pool {

struct Places {
  std::string sysfs = "/sys";
  std::string run = "/run/railhead";  // see device/allocation.hpp
  std::string devinfo = "/var/run/k8s.cni.cncf.io/devinfo/dp";
};

struct DeviceNode {
  std::string host_path;
  std::string container_path;
  friend bool operator==(const DeviceNode&, const DeviceNode&) = default;
};

struct Allocation {
  std::map<std::string, std::string> envs;  // PCIDEVICE_<RESOURCE> and PCIDEVICE_<RESOURCE>_INFO
  std::vector<DeviceNode> device_nodes;     // each host path once; to be read and written
  friend bool operator==(const Allocation&, const Allocation&) = default;
};

// For one container. Reads the RDMA devices' nodes anew, of these devices only: a namespace move
// since the scan may have changed them. Leaves for each device the devinfo file that CNI plugins
// read, and the record that the own one compares with. Errors are for the user of the pod:
// not_found (an id that is not of this pool, a device that is gone), unavailable (an RDMA device
// that is missing), io.
[[nodiscard]] Result<Allocation> allocate(const Pool& pool, const std::vector<std::string>& ids,
                                          const Places& places);

}  // namespace railhead::pool
