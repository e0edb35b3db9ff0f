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

void describe(const host::RdmaLink& link, RdmaDevice& device) {
  device.index = link.index;
  device.node_guid = link.node_guid;
  if (const auto layer = link_layer_of(link.protocol); layer != LinkLayer::unknown) {
    device.link_layer = layer;
  }
}

std::optional<Bond> bond_of(const host::Link& port, const std::vector<host::Link>& links) {
  if (!port.master) return std::nullopt;
  const auto bond = std::ranges::find(links, *port.master, &host::Link::index);
  if (bond == links.end() || (bond->kind != "bond" && bond->kind != "team")) return std::nullopt;
  return Bond{bond->name, bond->carrier == true};
}

// RDMA netlink's answer where it has one, else sysfs'.
Result<void> describe_rdma(const Directory& function, const RdmaFacts& rdma, RdmaDevice& device) {
  if (const auto known = rdma.devices.find(device.name); known != rdma.devices.end()) {
    describe(known->second, device);
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

Result<LinkFacts> read_links(host::Links& links) {
  LinkFacts all;
  const auto list = links.list();
  if (!list) return pass(list, "network links");
  const auto used = read_host_use(links, *list);
  if (!used) return pass(used);
  for (const auto& link : *list) {
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
                  used->global_address.contains(link.index),
                  bond_of(link, *list)};
    if (link.parent_device && PciAddress::parse(*link.parent_device)) {
      all.by_parent[*link.parent_device].push_back(std::move(netdev));
    } else {
      all.by_name.emplace(link.name, std::move(netdev));
    }
  }
  return all;
}

RdmaFacts read_rdma_facts(host::RdmaDevices& rdma) {
  RdmaFacts facts;
  const auto devices = rdma.list();
  if (!devices) facts.warnings.push_back("RDMA devices: " + devices.error().message);
  for (const auto& device : devices.value_or(std::vector<host::RdmaLink>{})) {
    facts.devices.emplace(device.name, device);
  }
  const auto mode = rdma.netns_mode();
  if (!mode) facts.warnings.push_back("RDMA netns mode: " + mode.error().message);
  facts.netns_mode = mode.value_or(std::nullopt);
  return facts;
}

// One port that cannot be told leaves none, so that nobody takes a part for the whole.
PortFacts read_ports(host::RdmaDevices& rdma, const host::RdmaLink& device) {
  PortFacts facts;
  for (uint32_t number = 1; number <= device.port_count; ++number) {
    auto port = rdma.port(device.index, number);
    if (is(port, ErrorCode::not_found)) return {};  // it went meanwhile
    if (!port) return {{}, fmt::format("ports of {}: {}", device.name, port.error().message)};
    facts.ports.push_back(std::move(*port));
  }
  return facts;
}

Result<std::vector<Netdev>> read_netdevs(const Directory& device, const std::string& name,
                                         const std::string& driver, const LinkFacts& links) {
  if (const auto known = links.by_parent.find(name); known != links.by_parent.end()) {
    return known->second;
  }
  const auto folder = net_folder(device, driver);
  if (!folder) return pass(folder);
  const auto names = optional(device.list(*folder));
  if (!names) return pass(names);
  std::vector<Netdev> netdevs;
  for (const auto& one : names->value_or(std::vector<std::string>{})) {
    if (const auto known = links.by_name.find(one); known != links.by_name.end()) {
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

Result<std::vector<RdmaDevice>> read_rdma(const Directory& folder, const RdmaFacts& rdma) {
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
      auto described = describe_rdma(folder, rdma, device);
      if (!described) return pass(described, name);
    }
    sorted.push_back(std::move(device));
  }
  return sorted;
}

void join(const std::string& name, const LinkFacts& links, std::vector<Netdev>& netdevs) {
  if (const auto known = links.by_parent.find(name); known != links.by_parent.end()) {
    netdevs = known->second;
    return;
  }
  // What had it for a parent has left the host's namespace.
  std::erase_if(netdevs, [&](Netdev& netdev) {
    const auto known = links.by_name.find(netdev.name);
    if (known == links.by_name.end()) return netdev.index != 0;
    netdev = known->second;
    return false;
  });
}

void join(const RdmaFacts& rdma, std::vector<RdmaDevice>& devices) {
  for (auto& device : devices) {
    if (!device.in_host_namespace) continue;
    const auto known = rdma.devices.find(device.name);
    if (known != rdma.devices.end()) describe(known->second, device);
  }
}

}  // namespace railhead::device
