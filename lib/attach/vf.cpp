#include "attach/vf.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "device/char_devices.hpp"
#include "device/port_name.hpp"

namespace railhead::attach {
namespace {

std::string function_path(const host::Host& host, const PciAddress& address) {
  return fmt::format("{}/bus/pci/devices/{}", host.roots.sysfs, address.to_string());
}

Result<uint32_t> index_in_pf(const host::Directory& pf, const PciAddress& vf) {
  auto names = pf.list(".");
  if (!names) return pass(names);
  for (const auto& name : *names) {
    if (!name.starts_with("virtfn")) continue;
    auto target = pf.link_name(name);
    auto index = parse_int<uint32_t>(std::string_view(name).substr(6));
    if (index && target && *target == vf.to_string()) return *index;
  }
  return fail(ErrorCode::not_found, "its PF has no virtfn link to it");
}

constexpr std::array kSysctls = {"ipv4/conf/*/arp_announce", "ipv4/conf/*/arp_ignore",
                                 "ipv4/conf/*/forwarding",   "ipv4/conf/*/rp_filter",
                                 "ipv6/conf/*/accept_ra",    "ipv6/conf/*/addr_gen_mode",
                                 "ipv6/conf/*/disable_ipv6", "ipv6/conf/*/forwarding"};

std::string sysctl_path(const host::Host& host, std::string_view key, const std::string& netdev) {
  const auto star = key.find('*');
  return fmt::format("{}/sys/net/{}{}{}", host.roots.proc, key.substr(0, star), netdev,
                     key.substr(star + 1));
}

}  // namespace

Result<VfPlace> locate_vf(const host::Host& host, const PciAddress& address) {
  auto function = host::Directory::open(function_path(host, address));
  if (!function) return pass(function, fmt::format("PCI function {}", address.to_string()));
  VfPlace place;
  auto pf_name = function->link_name("physfn");
  if (!pf_name) {
    return fail(ErrorCode::invalid_argument, "{} is not an SR-IOV VF (it has no physfn link)",
                address.to_string());
  }
  auto pf = PciAddress::parse(*pf_name);
  if (!pf) return fail(ErrorCode::decode, "physfn names \"{}\"", *pf_name);
  place.pf = *pf;
  auto pf_folder = function->sub("physfn");
  if (!pf_folder) return pass(pf_folder);
  auto index = index_in_pf(*pf_folder, address);
  if (!index) return pass(index, address.to_string());
  place.index = *index;
  place.driver = function->link_name("driver").value_or("");
  place.netdevs = function->list("net").value_or(std::vector<std::string>{});
  std::sort(place.netdevs.begin(), place.netdevs.end());
  return place;
}

Result<host::Link> pf_link(host::Host& host, const PciAddress& pf) {
  auto folder = host::Directory::open(function_path(host, pf));
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
    if (!link) return pass(link, fmt::format("PF {}", pf.to_string()));
    const bool uplink = link->phys_port_name && device::is_uplink_port(*link->phys_port_name);
    if (names->size() == 1 || uplink) return link;
    if (!first) first = std::move(*link);
  }
  return *first;
}

Result<RdmaState> rdma_state(const host::Host& host, const PciAddress& address) {
  auto function = host::Directory::open(function_path(host, address));
  if (!function) return pass(function);
  return device::read_char_devices(*function);
}

std::vector<std::string> rdma_in_host(const host::Host& host, const PciAddress& address) {
  auto function = host::Directory::open(function_path(host, address));
  if (!function) return {};
  return function->list("infiniband").value_or(std::vector<std::string>{});
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
