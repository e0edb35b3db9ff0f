#include "device/subsystems.hpp"

#include <algorithm>
#include <map>

#include "device/char_devices.hpp"
#include "device/host_use.hpp"
#include "device/sysfs.hpp"

namespace railhead::device {
namespace {

using host::Directory;

LinkLayer link_layer_of(std::string_view protocol) {
  if (protocol == "ib") return LinkLayer::infiniband;
  if (protocol == "roce" || protocol == "iw") return LinkLayer::ethernet;
  return LinkLayer::unknown;
}

// Without RDMA netlink's answers sysfs tells the most of it.
void read_rdma_subsystem(const host::Host& host, Subsystems& all, Warnings& warnings) {
  const auto rdma = host.rdma.list();
  if (!rdma) warnings.push_back("RDMA devices: " + rdma.error().message);
  for (const auto& device : rdma.value_or(std::vector<host::RdmaLink>{})) {
    if (!device.ports_error.empty()) {
      warnings.push_back(fmt::format("ports of {}: {}", device.name, device.ports_error));
    }
    all.rdma.emplace(device.name, device);
  }
  const auto mode = host.rdma.netns_mode();
  if (!mode) warnings.push_back("RDMA netns mode: " + mode.error().message);
  all.rdma_netns_mode = mode.value_or(std::nullopt);
}

// A netdev that the links' dump did not have: its name and what selects it, its type.
Result<Netdev> read_netdev(const Directory& function, const std::string& folder,
                           const std::string& name) {
  const auto type = read_number<uint16_t>(function, folder + "/" + name + "/type");
  if (!type) return pass(type);
  Netdev netdev;
  netdev.name = name;
  netdev.type = type->value_or(0);
  return netdev;
}

// A virtio NIC's netdev hangs off the virtio device below the PCI function.
Result<std::string> net_folder(const Directory& function, const std::string& driver) {
  if (driver != "virtio-pci") return "net";
  const auto names = function.list(".");
  if (!names) return pass(names);
  for (const auto& name : *names) {
    if (name.starts_with("virtio")) return name + "/net";
  }
  return "net";
}

// RDMA netlink's answer where it has one, else sysfs'.
Result<void> describe_rdma(const Directory& function, const Subsystems& subsystems,
                           RdmaDevice& device) {
  if (const auto known = subsystems.rdma.find(device.name); known != subsystems.rdma.end()) {
    device.index = known->second.index;
    device.node_guid = known->second.node_guid;
    device.link_layer = link_layer_of(known->second.protocol);
    device.ports = known->second.ports;
    if (device.link_layer != LinkLayer::unknown) return {};
  }
  const std::string folder = "infiniband/" + device.name;
  const auto layer = optional(function.read(folder + "/ports/1/link_layer"));
  if (!layer) return pass(layer);
  for (auto one : {LinkLayer::ethernet, LinkLayer::infiniband}) {
    if (*layer == to_string(one)) device.link_layer = one;
  }
  if (device.index) return {};
  const auto guid = optional(function.read(folder + "/node_guid"));
  if (!guid) return pass(guid);
  if (*guid) device.node_guid = Guid::parse(**guid).value_or(Guid{});
  return {};
}

}  // namespace

Result<Subsystems> read_subsystems(const host::Host& host, Warnings& warnings) {
  Subsystems all;
  const auto links = host.links.list();
  if (!links) return pass(links, "network links");
  const auto used = read_host_use(host, *links);
  if (!used) return pass(used);
  for (const auto& link : *links) {
    Netdev netdev{link.name,
                  link.index,
                  link.type,
                  link.mtu,
                  link.address,
                  link.carrier,
                  link.is_up(),
                  link.phys_port_name,
                  link.phys_switch_id,
                  used->default_route.contains(link.index),
                  used->global_address.contains(link.index)};
    if (link.parent_device && PciAddress::parse(*link.parent_device)) {
      all.by_parent[*link.parent_device].push_back(std::move(netdev));
    } else {
      all.by_name.emplace(link.name, std::move(netdev));
    }
  }
  read_rdma_subsystem(host, all, warnings);
  return all;
}

Result<std::vector<Netdev>> read_netdevs(const Directory& device, const std::string& name,
                                         const std::string& driver, const Subsystems& subsystems) {
  if (const auto known = subsystems.by_parent.find(name); known != subsystems.by_parent.end()) {
    return known->second;
  }
  const auto folder = net_folder(device, driver);
  if (!folder) return pass(folder);
  const auto names = optional(device.list(*folder));
  if (!names) return pass(names);
  std::vector<Netdev> netdevs;
  for (const auto& one : names->value_or(std::vector<std::string>{})) {
    if (const auto known = subsystems.by_name.find(one); known != subsystems.by_name.end()) {
      netdevs.push_back(known->second);
      continue;
    }
    auto netdev = read_netdev(device, *folder, one);
    if (!netdev) return pass(netdev, one);
    netdevs.push_back(std::move(*netdev));
  }
  std::sort(netdevs.begin(), netdevs.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return netdevs;
}

Result<std::vector<RdmaDevice>> read_rdma(const Directory& folder, const Subsystems& subsystems) {
  auto char_devices = read_char_devices(folder, DevNumbers::leave);
  if (!char_devices) return pass(char_devices);
  const auto here = optional(folder.list("infiniband"));
  if (!here) return pass(here);
  std::map<std::string, RdmaDevice> devices;
  for (auto& [name, of_device] : *char_devices) {
    devices[name].char_devices = std::move(of_device);
    devices[name].in_host_namespace = false;
  }
  for (const auto& name : here->value_or(std::vector<std::string>{})) {
    devices[name].in_host_namespace = true;
  }
  std::vector<RdmaDevice> sorted;
  for (auto& [name, device] : devices) {
    device.name = name;
    if (device.in_host_namespace) {
      auto described = describe_rdma(folder, subsystems, device);
      if (!described) return pass(described, name);
    }
    sorted.push_back(std::move(device));
  }
  return sorted;
}

}  // namespace railhead::device
