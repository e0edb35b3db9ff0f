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

using NodesByDevice = std::map<std::string, std::vector<DeviceNode>>;  // by Member::id

struct Allocation {
  // PCIDEVICE_<RESOURCE>, PCIDEVICE_<RESOURCE>_INFO, and those of nccl.hpp.
  std::map<std::string, std::string> envs;
  NodesByDevice by_device;  // to be read and written; several devices may have the same one

  [[nodiscard]] std::vector<DeviceNode> device_nodes() const;  // each once
  friend bool operator==(const Allocation&, const Allocation&) = default;
};

// Whether allocate() leaves records of the resource's devices: of those that a CNI plugin can
// attach to one pod, which are neither shared nor sub-functions.
[[nodiscard]] bool leaves_records(const config::Resource& resource);

// For one container. Reads the nodes of these devices anew: a namespace move since the scan may
// have changed them. Leaves for each device the devinfo file that CNI plugins read, and the record
// that the own one compares with. Errors are for the user of the pod: not_found (an id that is not
// of this pool, a device that is gone), unavailable (a device that lacks what its pool promises),
// io.
[[nodiscard]] Result<Allocation> allocate(const Pool& pool, const std::vector<std::string>& ids,
                                          const Places& places);

// Removes the devinfo files that allocate() left in this boot, and its records, of devices that
// are on this node no more; returns these. Files of others, and of devices that are there, stay,
// whoever has them.
[[nodiscard]] Result<std::vector<PciAddress>> remove_stale_devinfo(
    const device::Inventory& inventory, const Places& places);

}  // namespace railhead::pool
