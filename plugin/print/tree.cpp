#include "plugin/print/tree.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "device/pcie.hpp"
#include "device/rails.hpp"

namespace railhead::print {

using device::Inventory;
using device::PciFunction;

namespace {

bool is_below_its_pf(const PciFunction& function, const Inventory& inventory) {
  return &device::port_of(function, inventory) != &function;
}

// The group of that name, made where missing.
Group& group_at(Group& parent, Group::Kind kind, const std::string& name) {
  const auto found = std::find_if(parent.groups.begin(), parent.groups.end(),
                                  [&](const Group& one) { return one.name == name; });
  if (found != parent.groups.end()) return *found;
  return parent.groups.emplace_back(Group{kind, name, {}, {}});
}

}  // namespace

std::vector<Group> group(const Inventory& inventory) {
  std::map<std::pair<bool, int>, Group> nodes;
  for (const auto& function : inventory.functions()) {
    if (is_below_its_pf(function, inventory)) continue;
    Group& node = nodes[{!function.numa_node, function.numa_node.value_or(0)}];
    node.name = numa_text(function);
    Group* place = &node;
    if (!function.path.empty()) {
      place = &group_at(*place, Group::Kind::host_bridge, function.path.front());
    }
    for (const auto& one : device::switches_above(function)) {
      place = &group_at(*place, Group::Kind::pcie_switch, one);
    }
    place->functions.push_back(&function);
  }
  std::vector<Group> groups;
  groups.reserve(nodes.size());
  for (auto& [key, node] : nodes) groups.push_back(std::move(node));
  return groups;
}

const Named* Names::find(const PciFunction* function) const {
  for (const auto* list : {&gpus, &ports}) {
    for (const auto& named : *list) {
      if (named.function == function) return &named;
    }
  }
  return nullptr;
}

Names name(const Inventory& inventory) {
  Names names;
  std::vector<const PciFunction*> gpus;
  std::vector<const PciFunction*> ports;
  for (const auto& function : inventory.functions()) {
    if (function.is_gpu) {
      names.gpus.push_back(
          {fmt::format("GPU{}", gpus.size()), &function, std::nullopt, std::nullopt});
      gpus.push_back(&function);
    } else if (function.is_network() && !is_below_its_pf(function, inventory)) {
      names.ports.push_back(
          {fmt::format("NIC{}", ports.size()), &function, std::nullopt, std::nullopt});
      ports.push_back(&function);
    }
  }
  const auto rails = device::rails_of(ports, gpus);
  for (auto& port : names.ports) {
    const auto place = device::place_of(rails, port.function->address);
    if (!place) continue;
    port.rail = place->rail;
    if (rails[place->rail].size() > 1) port.plane = place->plane;
  }
  return names;
}

std::string_view kind_of(const PciFunction& function) {
  if (function.is_gpu) return "GPU";
  if (function.is_vf()) return "VF";
  return function.total_vfs ? "PF" : "NIC";
}

size_t count_vfs(const PciFunction& pf) {
  return static_cast<size_t>(
      std::count_if(pf.vfs.begin(), pf.vfs.end(), [](const auto& vf) { return vf.has_value(); }));
}

std::string_view port_state(uint8_t state) {
  constexpr std::array<std::string_view, 5> kNames = {"NOP", "DOWN", "INIT", "ARMED", "ACTIVE"};
  return state < kNames.size() ? kNames[state] : "?";
}

std::string numa_text(const PciFunction& function) {
  return function.numa_node ? fmt::format("NUMA node {}", *function.numa_node) : "no NUMA node";
}

}  // namespace railhead::print
