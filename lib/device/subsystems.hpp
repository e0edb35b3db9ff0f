#pragma once
// What the kernel tells of all links, and of all RDMA devices, at once; and how PCI functions and
// sub-functions get their parts from it.
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "device/values.hpp"
#include "host/files.hpp"
#include "host/links.hpp"
#include "host/rdma.hpp"

namespace railhead::device {

using Warnings = std::vector<std::string>;

struct LinkFacts {
  std::unordered_map<std::string, std::vector<Netdev>> by_parent;  // "0000:3b:00.2"
  std::unordered_map<std::string, Netdev> by_name;  // with no PCI parent: virtio, SFs, or not told
};
// One dump each of links, routes and addresses. Errors: one of these cannot be read. May wait for
// the kernel's RTNL.
[[nodiscard]] Result<LinkFacts> read_links(host::Links& links);

struct RdmaFacts {
  std::unordered_map<std::string, host::RdmaLink> devices;  // by name
  std::optional<host::RdmaNetnsMode> netns_mode;
  Warnings warnings;
};
// One dump, without ports. Failure is a warning: sysfs tells the most of it.
[[nodiscard]] RdmaFacts read_rdma_facts(host::RdmaDevices& rdma);

// The ports of one device, or why they cannot be told: a device in error state refuses (EIO).
struct PortFacts {
  std::vector<host::RdmaPort> ports;
  std::string error;
  friend bool operator==(const PortFacts&, const PortFacts&) = default;
};
// Asks the driver, which may take its time, or for ever.
[[nodiscard]] PortFacts read_ports(host::RdmaDevices& rdma, const host::RdmaLink& device);

// The netdevs of the device `name` with this sysfs folder, in the host's namespace, by name. Of
// those that `links` does not have only what sysfs tells: name and type.
[[nodiscard]] Result<std::vector<Netdev>> read_netdevs(const host::Directory& folder,
                                                       const std::string& name,
                                                       const std::string& driver,
                                                       const LinkFacts& links);
// Its RDMA devices, those in other namespaces too, by name, without ports.
[[nodiscard]] Result<std::vector<RdmaDevice>> read_rdma(const host::Directory& folder,
                                                        const RdmaFacts& rdma);

// What was read of a device's folder once, with what is known of its parts now.
void join(const std::string& name, const LinkFacts& links, std::vector<Netdev>& netdevs);
void join(const RdmaFacts& rdma, std::vector<RdmaDevice>& devices);

}  // namespace railhead::device
