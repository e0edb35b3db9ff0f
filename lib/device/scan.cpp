#include <algorithm>
#include <cerrno>
#include <map>
#include <unordered_map>

#include "base/text.hpp"
#include "device/char_devices.hpp"
#include "device/default_route.hpp"
#include "device/inventory.hpp"
#include "device/uevent.hpp"

namespace railhead::device {
namespace {

using host::Directory;

// What is missing in sysfs is an empty part: an attribute the driver does not have, or a function
// that went away while we were looking (the kernel says ENODEV then).
template <class T>
bool absent(const Result<T>& result) {
  return is(result, ErrorCode::not_found) || (!result && result.error().os_errno == ENODEV);
}

template <class T>
Result<std::optional<T>> optional(Result<T> result) {
  if (absent(result)) return std::nullopt;
  if (!result) return pass(result);
  return std::optional<T>(std::move(*result));
}

template <class Int>
Result<std::optional<Int>> read_number(const Directory& folder, const std::string& name) {
  auto text = optional(folder.read(name));
  if (!text) return pass(text);
  return *text ? parse_int<Int>(**text) : std::nullopt;
}

// "../../../devices/pci0000:20/0000:20:00.0/0000:21:00.0" -> {"pci0000:20", "0000:20:00.0"}
std::vector<std::string> ancestors(std::string_view link) {
  std::vector<std::string> path;
  for (auto part : split(link, '/')) {
    if (!path.empty() || part.starts_with("pci")) path.emplace_back(part);
  }
  if (!path.empty()) path.pop_back();
  return path;
}

LinkLayer link_layer_of(std::string_view protocol) {
  if (protocol == "ib") return LinkLayer::infiniband;
  if (protocol == "roce" || protocol == "iw") return LinkLayer::ethernet;
  return LinkLayer::unknown;
}

using Warnings = std::vector<std::string>;

// What netlink tells of the whole node, each with one dump.
struct Subsystems {
  std::unordered_map<std::string, std::vector<Netdev>> by_parent;  // "0000:3b:00.2"
  std::unordered_map<std::string, Netdev> by_name;  // with no PCI parent: virtio, or not told
  std::unordered_map<std::string, host::RdmaLink> rdma;
  std::optional<host::RdmaNetnsMode> rdma_netns_mode;
};

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

Result<Subsystems> read_subsystems(const host::Host& host, Warnings& warnings) {
  Subsystems all;
  const auto links = host.links.list();
  if (!links) return pass(links, "network links");
  const auto routed = default_route_links(host.roots.proc, *links);
  if (!routed) return pass(routed, "default route");
  for (const auto& link : *links) {
    Netdev netdev{link.name,    link.index,          link.type,
                  link.mtu,     link.address,        link.carrier,
                  link.is_up(), link.phys_port_name, routed->contains(link.index)};
    if (link.parent_device && PciAddress::parse(*link.parent_device)) {
      all.by_parent[*link.parent_device].push_back(std::move(netdev));
    } else {
      all.by_name.emplace(link.name, std::move(netdev));
    }
  }
  read_rdma_subsystem(host, all, warnings);
  return all;
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

Result<std::vector<Netdev>> read_netdevs(const Directory& function, const std::string& address,
                                         const std::string& driver, const Subsystems& subsystems) {
  if (const auto known = subsystems.by_parent.find(address); known != subsystems.by_parent.end()) {
    return known->second;
  }
  const auto folder = net_folder(function, driver);
  if (!folder) return pass(folder);
  const auto names = optional(function.list(*folder));
  if (!names) return pass(names);
  std::vector<Netdev> netdevs;
  for (const auto& name : names->value_or(std::vector<std::string>{})) {
    if (const auto known = subsystems.by_name.find(name); known != subsystems.by_name.end()) {
      netdevs.push_back(known->second);
      continue;
    }
    auto netdev = read_netdev(function, *folder, name);
    if (!netdev) return pass(netdev, name);
    netdevs.push_back(std::move(*netdev));
  }
  std::sort(netdevs.begin(), netdevs.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return netdevs;
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

Result<std::vector<RdmaDevice>> read_rdma(const Directory& function, const Subsystems& subsystems) {
  auto char_devices = read_char_devices(function, DevNumbers::leave);
  if (!char_devices) return pass(char_devices);
  const auto here = optional(function.list("infiniband"));
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
      auto described = describe_rdma(function, subsystems, device);
      if (!described) return pass(described, name);
    }
    sorted.push_back(std::move(device));
  }
  return sorted;
}

// The VFs that a PF has now, by index. sriov_numvfs says when to stop looking for virtfnN.
Result<void> read_sriov(const Directory& folder, PciFunction& function) {
  const auto total = read_number<uint32_t>(folder, "sriov_totalvfs");
  if (!total) return pass(total);
  function.total_vfs = *total;
  if (!function.total_vfs) return {};
  const auto number = read_number<uint32_t>(folder, "sriov_numvfs");
  if (!number) return pass(number);
  uint32_t found = 0;
  for (uint32_t i = 0; i < *function.total_vfs && found < number->value_or(0); ++i) {
    const auto name = optional(folder.link_name(fmt::format("virtfn{}", i)));
    if (!name) return pass(name);
    function.vfs.push_back(*name ? PciAddress::parse(**name) : std::nullopt);
    if (function.vfs.back()) ++found;
  }
  return {};
}

Result<void> read_details(const Directory& devices, const std::string& name,
                          const Subsystems& subsystems, PciFunction& function) {
  const auto link = devices.link(name);
  if (!link) return pass(link);
  function.path = ancestors(*link);
  const auto folder = devices.sub(name);
  if (!folder) return pass(folder);
  const auto numa = read_number<int>(*folder, "numa_node");
  if (!numa) return pass(numa);
  if (*numa && **numa >= 0) function.numa_node = **numa;
  const auto group = optional(folder->link_name("iommu_group"));
  if (!group) return pass(group);
  if (*group) function.iommu_group = parse_int<uint32_t>(**group);
  if (!function.is_network()) return {};

  if (auto read = read_sriov(*folder, function); !read) return read;
  auto netdevs = read_netdevs(*folder, name, function.driver, subsystems);
  if (!netdevs) return pass(netdevs);
  function.netdevs = std::move(*netdevs);
  auto rdma = read_rdma(*folder, subsystems);
  if (!rdma) return pass(rdma);
  function.rdma = std::move(*rdma);
  return {};
}

// Nothing for what is neither a network function nor a GPU, or has gone meanwhile.
Result<std::optional<PciFunction>> read_function(const Directory& devices, const std::string& name,
                                                 const Subsystems& subsystems,
                                                 const ScanOptions& options) {
  const auto address = PciAddress::parse(name);
  if (!address) return std::nullopt;
  const auto uevent = optional(devices.read(name + "/uevent"));
  if (!uevent) return pass(uevent);
  if (!*uevent) return std::nullopt;
  PciFunction function;
  function.address = *address;
  auto known = decode_uevent(**uevent);
  function.driver = std::move(known.driver);
  function.pci_class = known.pci_class;
  function.vendor = std::move(known.vendor);
  function.device_id = std::move(known.device_id);
  function.is_gpu = options.gpu.takes(function);
  if (!function.is_gpu && !function.is_network()) return std::nullopt;
  auto details = read_details(devices, name, subsystems, function);
  if (absent(details)) return std::nullopt;
  if (!details) return pass(details);
  return function;
}

void read_eswitch_modes(const host::Host& host, std::vector<PciFunction>& functions,
                        Warnings& warnings) {
  for (auto& function : functions) {
    if (!function.total_vfs) continue;
    const auto mode = host.devlink.eswitch_mode(function.address.to_string());
    if (!mode) warnings.push_back(mode.error().message);
    function.eswitch_mode = mode.value_or(std::nullopt);
  }
}

// A VF's PF and index are what the PF says: N links read, not N per VF.
void link_vfs(std::vector<PciFunction>& functions) {
  std::map<PciAddress, PciFunction*> by_address;
  for (auto& function : functions) by_address[function.address] = &function;
  for (auto& pf : functions) {
    for (uint32_t index = 0; index < pf.vfs.size(); ++index) {
      if (!pf.vfs[index]) continue;
      const auto vf = by_address.find(*pf.vfs[index]);
      if (vf == by_address.end()) continue;
      vf->second->pf = pf.address;
      vf->second->vf_index = index;
    }
  }
}

}  // namespace

Result<Inventory> scan(const host::Host& host, const ScanOptions& options) {
  Warnings warnings;
  const auto subsystems = read_subsystems(host, warnings);
  if (!subsystems) return pass(subsystems);
  const auto devices = Directory::open(host.roots.sysfs + "/bus/pci/devices");
  if (absent(devices)) return Inventory({}, subsystems->rdma_netns_mode, std::move(warnings));
  if (!devices) return pass(devices);
  const auto names = devices->list(".");
  if (!names) return pass(names, "PCI devices");
  std::vector<PciFunction> functions;
  for (const auto& name : *names) {
    auto function = read_function(*devices, name, *subsystems, options);
    if (!function) {
      warnings.push_back(fmt::format("{} is left out: {}", name, function.error().message));
    } else if (*function) {
      functions.push_back(std::move(**function));
    }
  }
  read_eswitch_modes(host, functions, warnings);
  link_vfs(functions);
  if (options.topology) {
    for (const auto& address : options.topology->apply(functions)) {
      warnings.push_back(fmt::format(
          "the topology file names {}, which is no network function or GPU of this node",
          address.to_string()));
    }
  }
  return Inventory(std::move(functions), subsystems->rdma_netns_mode, std::move(warnings));
}

}  // namespace railhead::device
