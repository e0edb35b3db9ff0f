#include "plugin/print/inventory.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "plugin/print/tree.hpp"

namespace railhead::print {
namespace {

using device::PciFunction;
using device::RdmaDevice;

constexpr size_t kNamedBlockers = 2;

struct Node {
  std::string label;
  std::vector<Node> children;
};

void render(const std::vector<Node>& nodes, const std::string& indent, std::string& text) {
  for (const auto& one : nodes) {
    const bool last = &one == &nodes.back();
    text += fmt::format("{}{}{}\n", indent, last ? "└─ " : "├─ ", one.label);
    render(one.children, indent + (last ? "   " : "│  "), text);
  }
}

// "GID 3  RoCE v2  10.9.0.1  ens1"
std::string gid_text(const device::Gid& gid) {
  std::string text = fmt::format("GID {:<3}", gid.index);
  if (!gid.type.empty()) text += "  " + gid.type;
  text += "  " + ipv4_of(gid.gid).value_or(gid.gid);
  if (gid.netdev) text += "  " + *gid.netdev;
  return text;
}

// RoCE v1's GIDs repeat v2's, and nobody chooses them.
bool is_worth_a_line(const device::Gid& gid, const RdmaDevice& device) {
  return device.link_layer == device::LinkLayer::infiniband || gid.type == "RoCE v2";
}

Node rdma_node(const RdmaDevice& device, const Details& details) {
  Node node{fmt::format("RDMA {:<8}", device.name), {}};
  if (!device.in_host_namespace) node.label += " in a pod";
  if (device.in_host_namespace) {
    node.label += fmt::format(" {}", to_string(device.link_layer));
    for (const auto& port : device.ports) {
      node.label += fmt::format("  port {} {}", port.number, port_state(port.state));
      const auto gids = details.gids.find({device.name, port.number});
      if (gids == details.gids.end()) continue;
      for (const auto& gid : gids->second) {
        if (is_worth_a_line(gid, device)) node.children.push_back({gid_text(gid), {}});
      }
    }
    node.label += fmt::format("  GUID {}", device.node_guid.to_string());
  }
  for (const auto& one : device.char_devices) {
    node.label += (&one == device.char_devices.data() ? "  " : " ") + one.name;
  }
  return node;
}

// "IOMMU group 12 (viable)"; a function's own driver is not worth a word, others' are.
std::string iommu_text(const PciFunction& function, const Details& details) {
  auto text = fmt::format("IOMMU group {}", *function.iommu_group);
  const auto group = details.iommu_groups.find(*function.iommu_group);
  if (group == details.iommu_groups.end()) return text;
  if (group->second.viable()) return text + " (viable)";
  std::vector<std::string> others;
  for (const auto& address : group->second.blocking) {
    if (address != function.address) others.push_back(address.to_string());
  }
  if (others.empty()) return text;
  // Without ACS all VFs of a PF are in one group.
  if (others.size() > kNamedBlockers) {
    others[kNamedBlockers] = fmt::format("{} more", others.size() - kNamedBlockers);
    others.resize(kNamedBlockers + 1);
  }
  return fmt::format("{} (blocked by {})", text, join(others, ", "));
}

Node function_node(const PciFunction& function, const Details& details) {
  const auto kind = function.is_vf() && function.vf_index ? fmt::format("VF {}", *function.vf_index)
                                                          : std::string(kind_of(function));
  Node node;
  node.label =
      fmt::format("{:<6} {}  {}:{}  {}", kind, function.address.to_string(), function.vendor,
                  function.device_id, function.driver.empty() ? "no driver" : function.driver);
  for (const auto& netdev : function.netdevs) {
    node.label += fmt::format("  {} {} mtu {}", netdev.name, netdev.up ? "up" : "down", netdev.mtu);
  }
  if (function.total_vfs) {
    node.label += fmt::format("  {} of {} VFs", count_vfs(function), *function.total_vfs);
  }
  if (function.eswitch_mode) node.label += "  eswitch " + *function.eswitch_mode;
  if (function.iommu_group) node.label += "  " + iommu_text(function, details);
  for (const auto& device : function.rdma) node.children.push_back(rdma_node(device, details));
  if (const auto& vdpa = function.vdpa) {
    node.children.push_back(
        {fmt::format("vDPA {}  {}", vdpa->name, vdpa->driver.empty() ? "no driver" : vdpa->driver),
         {}});
  }
  return node;
}

std::vector<Node> nodes_of(const Group& group, const device::Inventory& inventory,
                           const Details& details) {
  std::vector<Node> nodes;
  for (const auto* function : group.functions) {
    auto& node = nodes.emplace_back(function_node(*function, details));
    for (const auto& address : function->vfs) {
      const auto* vf = address ? inventory.find(*address) : nullptr;
      if (vf) node.children.push_back(function_node(*vf, details));
    }
  }
  for (const auto& one : group.groups) {
    const bool is_switch = one.kind == Group::Kind::pcie_switch;
    nodes.push_back({fmt::format("{} {}", is_switch ? "PCIe switch" : "host bridge", one.name),
                     nodes_of(one, inventory, details)});
  }
  return nodes;
}

}  // namespace

std::string inventory_text(const device::Inventory& inventory, const Details& details) {
  std::string text;
  for (const auto& numa_node : group(inventory)) {
    text += numa_node.name + '\n';
    render(nodes_of(numa_node, inventory, details), "", text);
  }
  if (text.empty()) return "no network functions and no GPUs\n";
  if (const auto mode = inventory.rdma_netns_mode()) {
    text += fmt::format("RDMA network namespaces: {}\n", host::to_string(*mode));
  }
  return text;
}

}  // namespace railhead::print
