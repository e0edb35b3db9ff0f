#pragma once
// What a container gets with the devices that were chosen for it, whoever chose them.
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "device/inventory.hpp"
#include "device/pcie.hpp"
#include "plugin/grant/bounds.hpp"
#include "plugin/grant/nodes.hpp"
#include "plugin/grant/wanted.hpp"

namespace railhead::grant {

struct ResourceName {
  std::string prefix;  // "rdma"
  std::string name;    // "vf"
  [[nodiscard]] std::string full_name() const { return prefix + '/' + name; }
  friend bool operator==(const ResourceName&, const ResourceName&) = default;
};

// What NCCL and its like are told of the devices.
struct Nccl {
  bool names_carry_resource = false;  // for containers that have devices of several resources
  std::vector<PciAddress> gpus;       // of the node, in PCI order
  // To each of `gpus`, by Wanted::id.
  std::map<std::string, std::vector<device::PcieDistance>> to_gpus;
  friend bool operator==(const Nccl&, const Nccl&) = default;
};

using Info = std::map<std::string, std::string>;

// For one container, of one resource.
struct Ask {
  ResourceName resource;
  std::vector<Wanted> devices;  // in PCI order, each once
  // Those that are gone, or lack what is wanted of them, are left out while one remains.
  bool some_are_enough = false;
  std::map<std::string, Info> additional_info;  // by Wanted::id, "*" for all
  std::optional<Nccl> nccl;
  // For CNI plugins: what the device was given with (device/allocation.hpp), of PCI functions that
  // one container has to itself, and its device-info file, of network functions among these.
  bool leaves_records = false;
  bool leaves_devinfo = false;
  // Who was given this node with another device than this one, and lives: "namespace/pod". A device
  // with such a node is not given. Empty: nobody is asked.
  std::function<std::optional<std::string>(const std::string& node, const std::string& device)>
      taken_by = {};
};

struct Grant {
  // PCIDEVICE_<RESOURCE>, PCIDEVICE_<RESOURCE>_INFO, and those of nccl.hpp.
  std::map<std::string, std::string> envs;
  // Of these, what is too large for a container (bounds.hpp): not in `envs`, to be told.
  std::vector<LeftOutVariable> left_out;
  NodesByDevice by_device;  // to be read and written; several devices may have the same one

  [[nodiscard]] std::vector<DeviceNode> device_nodes() const;  // each once
  friend bool operator==(const Grant&, const Grant&) = default;
};

// Reads the nodes of these devices anew: a namespace move since the scan may have changed them.
// Leaves the records that are asked for. Errors are for the user of the pod: not_found (a device
// that is gone), unavailable (one that lacks what is wanted of it), busy (one whose node is taken),
// io.
[[nodiscard]] Result<Grant> give(const Ask& ask, const Places& places);

}  // namespace railhead::grant
