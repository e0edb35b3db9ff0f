#pragma once
// What a scan knows of the whole node before it looks at single devices, and the parts that PCI
// functions and sub-functions have in common.
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "device/values.hpp"
#include "host/host.hpp"

namespace railhead::device {

using Warnings = std::vector<std::string>;

// What netlink tells, each with one dump.
struct Subsystems {
  std::unordered_map<std::string, std::vector<Netdev>> by_parent;  // "0000:3b:00.2"
  std::unordered_map<std::string, Netdev> by_name;  // with no PCI parent: virtio, SFs, or not told
  std::unordered_map<std::string, host::RdmaLink> rdma;
  std::optional<host::RdmaNetnsMode> rdma_netns_mode;
};
// RDMA netlink's failure is a warning: sysfs tells the most of it. Errors: links or routes.
[[nodiscard]] Result<Subsystems> read_subsystems(const host::Host& host, Warnings& warnings);

// The netdevs of the device `name` with this sysfs folder, in the host's namespace, by name.
[[nodiscard]] Result<std::vector<Netdev>> read_netdevs(const host::Directory& folder,
                                                       const std::string& name,
                                                       const std::string& driver,
                                                       const Subsystems& subsystems);

// Its RDMA devices, those in other namespaces too, by name.
[[nodiscard]] Result<std::vector<RdmaDevice>> read_rdma(const host::Directory& folder,
                                                        const Subsystems& subsystems);

}  // namespace railhead::device
