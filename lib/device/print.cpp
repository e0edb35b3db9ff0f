#include "device/print.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "device/pcie.hpp"

namespace railhead::device {
namespace {

struct Node {
  std::string label;
  std::vector<Node> children;
};

// The child with that label, made where missing.
Node& child(Node& parent, const std::string& label) {
  const auto found = std::find_if(parent.children.begin(), parent.children.end(),
                                  [&](const Node& node) { return node.label == label; });
  return found != parent.children.end() ? *found : parent.children.emplace_back(Node{label, {}});
}

void render(const Node& node, const std::string& indent, std::string& text) {
  for (const auto& one : node.children) {
    const bool last = &one == &node.children.back();
    text += fmt::format("{}{}{}\n", indent, last ? "└─ " : "├─ ", one.label);
    render(one, indent + (last ? "   " : "│  "), text);
  }
}

std::string_view port_state(uint8_t state) {  // enum ib_port_state
  constexpr std::array<std::string_view, 5> kNames = {"NOP", "DOWN", "INIT", "ARMED", "ACTIVE"};
  return state < kNames.size() ? kNames[state] : "?";
}

Node rdma_node(const RdmaDevice& device) {
  std::string label = fmt::format("RDMA {:<8}", device.name);
  if (device.in_host_namespace) {
    label += fmt::format(" {}", to_string(device.link_layer));
    for (const auto& port : device.ports) {
      label += fmt::format("  port {} {}", port.number, port_state(port.state));
    }
    label += fmt::format("  GUID {}", device.node_guid.to_string());
  } else {
    label += " in a pod";
  }
  for (const auto& node : device.char_devices) {
    label += (&node == device.char_devices.data() ? "  " : " ") + node.name;
  }
  return {std::move(label), {}};
}

std::string kind_of(const PciFunction& function) {
  if (function.is_gpu) return "GPU";
  if (function.vf_index) return fmt::format("VF {}", *function.vf_index);
  return function.total_vfs ? "PF" : "NIC";
}

size_t count_vfs(const PciFunction& pf) {
  return static_cast<size_t>(
      std::count_if(pf.vfs.begin(), pf.vfs.end(), [](const auto& vf) { return vf.has_value(); }));
}

Node function_node(const PciFunction& function) {
  Node node;
  node.label = fmt::format("{:<6} {}  {}:{}  {}", kind_of(function), function.address.to_string(),
                           function.vendor, function.device_id,
                           function.driver.empty() ? "no driver" : function.driver);
  for (const auto& netdev : function.netdevs) {
    node.label += fmt::format("  {} {} mtu {}", netdev.name, netdev.up ? "up" : "down", netdev.mtu);
  }
  if (function.total_vfs) {
    node.label += fmt::format("  {} of {} VFs", count_vfs(function), *function.total_vfs);
  }
  if (function.eswitch_mode) node.label += "  eswitch " + *function.eswitch_mode;
  for (const auto& device : function.rdma) node.children.push_back(rdma_node(device));
  return node;
}

std::string numa_text(const PciFunction& function) {
  return function.numa_node ? fmt::format("NUMA node {}", *function.numa_node) : "no NUMA node";
}

// "GPU0  0000:24:00.0  10de:2330  NUMA node 0  eth1"
std::string legend(std::string_view name, const PciFunction& function) {
  std::string line = fmt::format("{:<6} {}  {}:{}  {}", name, function.address.to_string(),
                                 function.vendor, function.device_id, numa_text(function));
  for (const auto& netdev : function.netdevs) line += "  " + netdev.name;
  for (const auto& device : function.rdma) line += "  " + device.name;
  return line + '\n';
}

}  // namespace

std::string format_tree(const Inventory& inventory) {
  // By NUMA node; what the kernel gives none comes last.
  std::map<std::pair<bool, int>, std::vector<const PciFunction*>> by_node;
  for (const auto& function : inventory.functions()) {
    // A VF stands below its PF.
    if (function.pf && inventory.find(*function.pf)) continue;
    by_node[{!function.numa_node, function.numa_node.value_or(0)}].push_back(&function);
  }
  std::string text;
  for (const auto& [key, functions] : by_node) {
    Node root;
    for (const auto* function : functions) {
      Node* place = &root;
      if (!function->path.empty()) place = &child(root, "host bridge " + function->path.front());
      for (const auto& one : switches_above(*function)) {
        place = &child(*place, "PCIe switch " + one);
      }
      Node& node = place->children.emplace_back(function_node(*function));
      for (const auto& vf : function->vfs) {
        const auto* known = vf ? inventory.find(*vf) : nullptr;
        if (known) node.children.push_back(function_node(*known));
      }
    }
    text += numa_text(*functions.front()) + '\n';
    render(root, "", text);
  }
  return text.empty() ? "no network functions and no GPUs\n" : text;
}

std::string format_matrix(const Inventory& inventory) {
  std::vector<const PciFunction*> gpus;
  std::vector<const PciFunction*> nics;
  for (const auto& function : inventory.functions()) {
    if (function.is_gpu) gpus.push_back(&function);
    if (function.is_network() && !function.is_vf()) nics.push_back(&function);
  }
  if (gpus.empty()) return "no GPUs\n";
  if (nics.empty()) return "no network functions\n";
  std::string text = fmt::format("{:<6}", "");
  for (size_t i = 0; i < nics.size(); ++i) text += fmt::format(" {:<6}", fmt::format("NIC{}", i));
  std::string names;
  for (size_t i = 0; i < gpus.size(); ++i) {
    text += fmt::format("\n{:<6}", fmt::format("GPU{}", i));
    for (const auto* nic : nics) text += fmt::format(" {:<6}", to_string(distance(*gpus[i], *nic)));
    names += legend(fmt::format("GPU{}", i), *gpus[i]);
  }
  for (size_t i = 0; i < nics.size(); ++i) names += legend(fmt::format("NIC{}", i), *nics[i]);
  return text + "\n\n" + names +
         "\nPIX  over one PCIe switch (or root port)\nPXB  over several PCIe switches\n"
         "PHB  over the host bridge\nNODE over host bridges of one NUMA node\n"
         "SYS  over the link between NUMA nodes\n";
}

}  // namespace railhead::device
