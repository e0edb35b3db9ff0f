#include "plugin/pool/select.hpp"

#include <algorithm>

#include <net/if_arp.h>

namespace railhead::pool {
namespace {

using config::Selector;
using config::VfsOfPf;
using device::Inventory;
using device::Netdev;
using device::PciFunction;

template <class T>
bool allows(const std::vector<T>& list, const T& value) {
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

const PciFunction* pf_of(const PciFunction& function, const Inventory& inventory) {
  return function.pf ? inventory.find(*function.pf) : nullptr;
}

// The netdev that a PF is called by: in switchdev mode its representors hang off it too.
const Netdev* main_netdev(const PciFunction& function) {
  const auto uplink =
      std::find_if(function.netdevs.begin(), function.netdevs.end(), [](const Netdev& netdev) {
        return netdev.phys_port_name && device::is_uplink_port(*netdev.phys_port_name);
      });
  if (uplink != function.netdevs.end()) return &*uplink;
  return function.netdevs.empty() ? nullptr : &function.netdevs.front();
}

// As linkTypes names it. A function whose netdev is in a pod has none to look at: its PF tells, or
// its RDMA device, or its PCI class, which follows the port's protocol.
std::string link_type(const PciFunction& function, const Inventory& inventory) {
  for (const auto* one : {&function, pf_of(function, inventory)}) {
    const auto* netdev = one ? main_netdev(*one) : nullptr;
    if (netdev && netdev->type == ARPHRD_ETHER) return "ether";
    if (netdev && netdev->type == ARPHRD_INFINIBAND) return "infiniband";
  }
  for (const auto& rdma : function.rdma) {
    if (rdma.link_layer == device::LinkLayer::ethernet) return "ether";
    if (rdma.link_layer == device::LinkLayer::infiniband) return "infiniband";
  }
  return function.pci_class >> 8 == 0x0207 ? "infiniband" : "ether";
}

bool allows_vf(const std::vector<VfsOfPf>& list, std::string_view pf, uint32_t vf) {
  return std::any_of(list.begin(), list.end(), [&](const VfsOfPf& item) {
    return equal_ignoring_case(item.pf, pf) && (!item.vfs || contains(*item.vfs, vf));
  });
}

bool takes(const Selector& selector, const PciFunction& function, const Inventory& inventory) {
  if (!allows(selector.vendors, function.vendor) || !allows(selector.devices, function.device_id) ||
      !allows(selector.drivers, function.driver) ||
      !allows(selector.pci_addresses, function.address)) {
    return false;
  }
  const auto* pf = pf_of(function, inventory);
  if (!selector.pf_names.empty()) {
    const auto* netdev = pf ? main_netdev(*pf) : nullptr;
    if (!netdev || !allows_vf(selector.pf_names, netdev->name, *function.vf_index)) return false;
  }
  if (!selector.root_devices.empty() &&
      !(pf && allows_vf(selector.root_devices, pf->address.to_string(), *function.vf_index))) {
    return false;
  }
  if (!selector.link_types.empty() &&
      !allows(selector.link_types, link_type(function, inventory))) {
    return false;
  }
  return !selector.is_rdma || !function.rdma.empty();
}

// Why no resource may have this function; nothing when one may.
std::optional<std::string> reason_against(const PciFunction& function) {
  if (function.driver.empty()) return "no driver is bound to it";
  if (device::is_userspace_driver(function.driver)) {
    return fmt::format("it is bound to {}: user-space drivers are not supported yet",
                       function.driver);
  }
  const auto vfs = std::count_if(function.vfs.begin(), function.vfs.end(),
                                 [](const auto& vf) { return vf.has_value(); });
  if (vfs > 0) return fmt::format("it is a PF with {} VFs: these are offered instead", vfs);
  for (const auto& netdev : function.netdevs) {
    if (netdev.default_route) {
      return fmt::format("the node's IPv4 default route goes over its netdev {}", netdev.name);
    }
  }
  return std::nullopt;
}

}  // namespace

Selection select(const config::Config& config, const Inventory& inventory,
                 const Knowledge& knowledge) {
  Selection selection;
  std::vector<const PciFunction*> free;
  for (const auto& function : inventory.functions()) {
    if (!function.is_network()) continue;
    if (auto reason = reason_against(function)) {
      selection.left_out.push_back({function.address, std::move(*reason)});
    } else {
      free.push_back(&function);
    }
  }
  for (const auto& resource : config.resources) {
    Pool pool;
    pool.resource = resource;
    std::vector<const PciFunction*> rest;
    for (const auto* function : free) {
      const auto selector =
          std::find_if(resource.selectors.begin(), resource.selectors.end(),
                       [&](const Selector& one) { return takes(one, *function, inventory); });
      if (selector == resource.selectors.end()) {
        rest.push_back(function);
      } else {
        Member member;
        member.id = function->address.to_string();
        member.address = function->address;
        if (!resource.exclude_topology) member.numa_node = function->numa_node;
        member.rdma = selector->is_rdma;
        member.driver = function->driver;
        member.pf = function->pf;
        const auto sick = knowledge.sick.find(member.address);
        if (sick != knowledge.sick.end()) member.sickness = sick->second;
        pool.members.push_back(std::move(member));
      }
    }
    free = std::move(rest);
    selection.pools.push_back(std::move(pool));
  }
  return selection;
}

}  // namespace railhead::pool
