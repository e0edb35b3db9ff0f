#include "attach/function.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/stat.h>

#include "base/text.hpp"
#include "device/char_devices.hpp"
#include "device/eswitch.hpp"
#include "device/port_name.hpp"
#include "device/sub_functions.hpp"
#include "device/sysfs.hpp"

namespace railhead::attach {
namespace {

std::string folder_of(const host::Host& host, const device::DeviceId& device) {
  return fmt::format("{}/bus/{}/devices/{}", host.roots.sysfs, device::to_string(device.kind),
                     device.name);
}

Result<host::Directory> open_function(const host::Host& host, const device::DeviceId& device) {
  if (is_bare_netdev(device)) {
    return fail(ErrorCode::not_found, "{} is a netdev without a bus", device.name);
  }
  auto folder = host::Directory::open(folder_of(host, device));
  const auto* what = device.kind == device::DeviceId::Kind::pci ? "PCI function" : "device";
  if (!folder) return pass(folder, fmt::format("{} {}", what, device.name));
  return folder;
}

// What is missing is empty; what cannot be read is not missing.
Result<std::vector<std::string>> names_in(const host::Directory& function,
                                          const std::string& folder) {
  auto names = function.list(folder);
  if (device::absent(names)) return std::vector<std::string>{};
  if (!names) return pass(names);
  std::sort(names->begin(), names->end());
  return names;
}

// A virtio NIC's netdev stands below the virtio device of its PCI function.
Result<std::vector<std::string>> netdevs_of(const host::Directory& function) {
  auto netdevs = names_in(function, "net");
  if (!netdevs || !netdevs->empty()) return netdevs;
  const auto parts = function.list(".");
  if (!parts) return pass(parts);
  for (const auto& part : *parts) {
    if (!part.starts_with("virtio")) continue;
    auto below = names_in(function, part + "/net");
    if (!below || !below->empty()) return below;
  }
  return netdevs;
}

Result<uint32_t> index_in_pf(const host::Directory& pf, const PciAddress& vf) {
  auto names = pf.list(".");
  if (!names) return pass(names);
  for (const auto& name : *names) {
    if (!name.starts_with("virtfn")) continue;
    auto target = device::optional(pf.link_name(name));  // its VFs may be going
    if (!target) return pass(target);
    auto index = parse_int<uint32_t>(std::string_view(name).substr(6));
    if (index && *target == vf.to_string()) return *index;
  }
  // No proof that the VF is gone: its own folder was there.
  return fail(ErrorCode::io, "its PF has no virtfn link to it");
}

constexpr std::string_view kIpoibType = "32";  // ARPHRD_INFINIBAND, linux/if_arp.h

// Of its RDMA devices' first port, or of its netdevs: InfiniBand where one is; none where this
// namespace shows none of them.
using Layer = std::optional<host::LinkLayer>;

Result<Layer> layer_in(const host::Directory& function, const std::string& folder,
                       std::string_view attribute, std::string_view infiniband) {
  const auto names = names_in(function, folder);
  if (!names) return pass(names);
  Layer layer;
  for (const auto& name : *names) {
    const auto value =
        device::optional(function.read(fmt::format("{}/{}/{}", folder, name, attribute)));
    if (!value && value.error().os_errno == EINVAL) continue;  // a netdev that is just going
    if (!value) return pass(value);
    if (*value == infiniband) return Layer(host::LinkLayer::infiniband);
    if (*value) layer = host::LinkLayer::ethernet;
  }
  return layer;
}

Result<Layer> layer_of_rdma(const host::Directory& function) {
  return layer_in(function, "infiniband", "ports/1/link_layer", "InfiniBand");
}

Result<Layer> layer_of_netdevs(const host::Directory& function) {
  return layer_in(function, "net", "type", kIpoibType);
}

constexpr std::array kSysctls = {"ipv4/conf/*/arp_announce", "ipv4/conf/*/arp_ignore",
                                 "ipv4/conf/*/forwarding",   "ipv4/conf/*/rp_filter",
                                 "ipv6/conf/*/accept_ra",    "ipv6/conf/*/addr_gen_mode",
                                 "ipv6/conf/*/disable_ipv6", "ipv6/conf/*/forwarding"};

}  // namespace

bool is_bare_netdev(const device::DeviceId& device) {
  return device.kind == device::DeviceId::Kind::net;
}

Result<std::vector<device::DeviceId>> parts_of(const host::Host& host,
                                               const device::DeviceId& device) {
  std::vector<device::DeviceId> parts;
  if (is_bare_netdev(device)) return parts;
  auto folder = open_function(host, device);
  auto names = folder ? folder->list(".") : pass(folder);
  if (!names) return pass(names);
  for (const auto& name : *names) {
    if (device::is_sub_function(name)) {
      parts.emplace_back(device::DeviceId::Kind::auxiliary, name);
      continue;
    }
    if (!name.starts_with("virtfn")) continue;
    const auto target = folder->link_name(name);
    const auto vf = target ? PciAddress::parse(*target) : std::nullopt;
    if (vf) parts.emplace_back(*vf);
  }
  return parts;
}

bool stands_for(const host::Link& link, const Record& record) {
  const auto& before = record.link->before;
  if (!before.parent.empty()) {
    return link.parent_device == before.parent && link.is_of(layer_of(record.kind));
  }
  if (link.kind.value_or("") != before.kind) return false;
  const auto index = record.link->pod_index;
  return index != 0 ? link.index == index : link.name == record.key.ifname;
}

device::DeviceId device_of(const host::Host& host, const host::Link& link) {
  using device::DeviceId;
  const auto bare = DeviceId(DeviceId::Kind::net, link.name);
  if (!link.parent_device) return bare;
  if (link.parent_bus == "virtio") {
    const auto folder = host::Directory::open(host.roots.sysfs + "/bus/virtio/devices");
    const auto target = folder ? folder->link(*link.parent_device) : pass(folder);
    const auto parts = target ? split(*target, '/') : std::vector<std::string_view>{};
    const auto pci = parts.size() > 1 ? PciAddress::parse(parts[parts.size() - 2]) : std::nullopt;
    return pci ? DeviceId(*pci) : bare;
  }
  return DeviceId::from_parts(link.parent_bus.value_or("pci"), *link.parent_device).value_or(bare);
}

Result<Function> read_function(const host::Host& host, const device::DeviceId& device) {
  auto folder = open_function(host, device);
  if (!folder) return pass(folder);
  Function function;
  struct stat status {};
  if (::fstat(folder->fd(), &status) == 0) function.inode = status.st_ino;
  auto driver = device::optional(folder->link_name("driver"));
  if (!driver) return pass(driver, device.name);
  function.driver = driver->value_or("");
  auto netdevs = netdevs_of(*folder);
  if (!netdevs) return pass(netdevs, device.name);
  function.netdevs = std::move(*netdevs);
  auto pf_name = device::optional(folder->link_name("physfn"));
  if (!pf_name) return pass(pf_name, device.name);
  if (!*pf_name) return function;
  function.pf = PciAddress::parse(**pf_name);
  if (!function.pf) return fail(ErrorCode::decode, "physfn names \"{}\"", **pf_name);
  auto pf_folder = folder->sub("physfn");
  if (!pf_folder) return fail(ErrorCode::io, "{}: {}", device.name, pf_folder.error().message);
  auto index = index_in_pf(*pf_folder, *device.pci());
  if (!index) return pass(index, device.name);
  function.vf_index = *index;
  return function;
}

Result<host::Link> pf_link(host::Host& host, const PciAddress& pf, host::LinkLayer layer) {
  auto folder = open_function(host, pf);
  auto names = folder ? folder->list("net") : pass(folder);
  if (!names || names->empty()) {
    return fail(ErrorCode::not_found,
                "PF network device not found: the PF {} has none in the host's namespace",
                pf.to_string());
  }
  std::sort(names->begin(), names->end());
  std::optional<host::Link> first;
  for (const auto& name : *names) {
    auto link = host.links.by_name(name);
    if (is(link, ErrorCode::not_found)) continue;  // renamed a moment ago, or gone
    if (!link) return pass(link, fmt::format("PF {}", pf.to_string()));
    if (!link->is_of(layer)) continue;
    const auto port = link->phys_port_name.value_or("");
    if (device::is_representor_port(port)) continue;
    if (names->size() == 1 || device::is_uplink_port(port)) return link;
    if (!first) first = std::move(*link);
  }
  if (!first) {
    return fail(ErrorCode::not_found, "PF network device not found: none of {}'s is {}",
                pf.to_string(),
                layer == host::LinkLayer::infiniband
                    ? "an IPoIB one"
                    : "an Ethernet one; InfiniBand VFs are attached by the types ib-sriov and "
                      "railhead");
  }
  return *first;
}

Result<bool> is_in_switchdev_mode(host::Host& host, const PciAddress& pf) {
  const auto folder = open_function(host, pf);
  const auto names = folder ? names_in(*folder, "net") : pass(folder);
  if (!names) return pass(names);
  std::vector<device::Netdev> netdevs;
  for (const auto& name : *names) {
    const auto link = host.links.by_name(name);
    if (is(link, ErrorCode::not_found)) continue;  // a representor that was just renamed, or went
    if (!link) return pass(link, fmt::format("PF {}", pf.to_string()));
    device::Netdev netdev;
    netdev.phys_port_name = link->phys_port_name;
    netdev.phys_switch_id = link->phys_switch_id;
    netdevs.push_back(std::move(netdev));
  }
  return device::eswitch_mode_of(netdevs, 0) == "switchdev";
}

Result<std::string> driver_of(const host::Host& host, const device::DeviceId& device) {
  const auto folder = open_function(host, device);
  if (!folder) return pass(folder);
  const auto driver = device::optional(folder->link_name("driver"));
  if (!driver) return pass(driver);
  return driver->value_or("");
}

Result<host::LinkLayer> read_layer(const host::Host& host, const device::DeviceId& device) {
  const auto folder = device::optional(open_function(host, device));
  if (!folder) return pass(folder);
  if (!*folder) return host::LinkLayer::ethernet;
  const auto rdma = layer_of_rdma(**folder);
  if (!rdma) return pass(rdma);
  if (*rdma) return **rdma;
  const auto netdevs = layer_of_netdevs(**folder);
  if (!netdevs) return pass(netdevs);
  if (*netdevs == host::LinkLayer::infiniband) return host::LinkLayer::infiniband;
  const auto pf = device::optional((*folder)->sub("physfn"));
  if (!pf) return pass(pf);
  if (!*pf) return host::LinkLayer::ethernet;
  const auto rdma_of_pf = layer_of_rdma(**pf);
  if (!rdma_of_pf) return pass(rdma_of_pf);
  if (*rdma_of_pf) return **rdma_of_pf;
  if (*netdevs) return host::LinkLayer::ethernet;
  // These come last: a PF may have one for each of its VFs.
  const auto netdevs_of_pf = layer_of_netdevs(**pf);
  if (!netdevs_of_pf) return pass(netdevs_of_pf);
  return netdevs_of_pf->value_or(host::LinkLayer::ethernet);
}

Result<bool> has_ipoib(const host::Host& host, const device::DeviceId& device) {
  const auto folder = open_function(host, device);
  if (!folder) return pass(folder);
  const auto own = layer_of_netdevs(*folder);
  if (!own) return pass(own);
  const auto pf = device::optional(folder->sub("physfn"));
  if (!pf) return pass(pf);
  const auto of_pf = *pf ? layer_of_netdevs(**pf) : Result<Layer>(Layer{});
  if (!of_pf) return pass(of_pf);
  return *own == host::LinkLayer::infiniband || *of_pf == host::LinkLayer::infiniband;
}

Result<bool> loses_rdma_with_netdev(const host::Host& host, const device::DeviceId& device) {
  const auto driver = driver_of(host, device);
  if (!driver) return pass(driver);
  if (*driver != "bnxt_en") return false;
  const auto folder = open_function(host, device);
  const auto names = folder ? folder->list(".") : pass(folder);
  if (!names) return pass(names);
  return std::ranges::none_of(
      *names, [](const std::string& name) { return name.starts_with("bnxt_en.rdma."); });
}

Result<std::vector<RdmaState>> rdma_of(const host::Host& host, const device::DeviceId& device) {
  std::vector<RdmaState> all;
  if (is_bare_netdev(device)) return all;
  auto function = open_function(host, device);
  if (!function) return pass(function);
  auto nodes = device::read_char_devices(*function);
  if (!nodes) return pass(nodes);
  for (auto& [name, of_device] : *nodes) all.push_back({name, Guid{}, std::move(of_device)});
  return all;
}

Result<std::vector<std::string>> rdma_in_host(const host::Host& host,
                                              const device::DeviceId& device) {
  auto function = open_function(host, device);
  if (!function) return pass(function);
  return names_in(*function, "infiniband");
}

std::string_view noun(KindName kind) { return is_vf(kind) ? "VF" : "device"; }

std::string sysctl_path(const host::Host& host, std::string_view key, const std::string& netdev) {
  const auto star = key.find('*');
  return fmt::format("{}/sys/net/{}{}{}", host.roots.proc, key.substr(0, star), netdev,
                     key.substr(star + 1));
}

std::map<std::string, std::string> read_sysctls(const host::Host& host, const std::string& netdev) {
  std::map<std::string, std::string> values;
  for (const char* key : kSysctls) {
    if (auto value = host::read_file(sysctl_path(host, key, netdev))) {
      values[key] = std::string(trim(*value));
    }
  }
  return values;
}

Result<void> write_sysctl(const host::Host& host, const std::string& key, const std::string& netdev,
                          const std::string& value) {
  return host::write_file(sysctl_path(host, key, netdev), value);
}

std::string node_list(const std::vector<device::CharDevice>& devices) {
  std::vector<std::string> names;
  names.reserve(devices.size());
  for (const auto& device : devices) {
    names.push_back(device.dev.empty() ? device.name
                                       : fmt::format("{} ({})", device.name, device.dev));
  }
  std::sort(names.begin(), names.end());
  return names.empty() ? "none" : join(names, ", ");
}

}  // namespace railhead::attach
