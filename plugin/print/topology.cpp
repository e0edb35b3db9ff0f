#include "plugin/print/topology.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "device/pcie.hpp"
#include "plugin/print/tree.hpp"

namespace railhead::print {
namespace {

using Json = nlohmann::ordered_json;

std::vector<const Named*> all_of(const Names& names) {
  std::vector<const Named*> all;
  for (const auto* list : {&names.gpus, &names.ports}) {
    for (const auto& named : *list) all.push_back(&named);
  }
  return all;
}

std::string numa_of(const device::PciFunction& function) {
  return function.numa_node ? std::to_string(*function.numa_node) : "-";
}

// "NIC0   0000:24:00.0  15b3:1021  NUMA node 0  rail 0  ens1  mlx5_0"
std::string legend(const Named& named) {
  const auto& function = *named.function;
  std::string line = fmt::format("{:<6} {}  {}:{}  {}", named.name, function.address.to_string(),
                                 function.vendor, function.device_id, numa_text(function));
  if (named.rail) line += fmt::format("  rail {}", *named.rail);
  if (named.plane) line += fmt::format(" plane {}", *named.plane);
  for (const auto& netdev : function.netdevs) line += "  " + netdev.name;
  for (const auto& device : function.rdma) line += "  " + device.name;
  return line + '\n';
}

Json named_json(const Named& named) {
  const auto& function = *named.function;
  Json json = {{"name", named.name}, {"address", function.address.to_string()}};
  if (function.numa_node) json["numaNode"] = *function.numa_node;
  json["path"] = function.path;
  if (!named.rail) return json;
  json["rail"] = *named.rail;
  if (named.plane) json["plane"] = *named.plane;
  json["netdevs"] = Json::array();
  for (const auto& netdev : function.netdevs) json["netdevs"].push_back(netdev.name);
  json["rdma"] = Json::array();
  for (const auto& device : function.rdma) json["rdma"].push_back(device.name);
  return json;
}

}  // namespace

std::string Source::to_string() const {
  return file.empty() ? "sysfs" : fmt::format("{} ({} functions), else sysfs", file, functions);
}

std::string topology_text(const device::Inventory& inventory, const Source& source) {
  const auto names = name(inventory);
  const auto all = all_of(names);
  if (all.empty()) return "no network functions and no GPUs\n";
  std::string text = fmt::format("topology from: {}\n\n{:<6}", source.to_string(), "");
  for (const auto* column : all) text += fmt::format(" {:<5}", column->name);
  text += " NUMA\n";
  for (const auto* row : all) {
    text += fmt::format("{:<6}", row->name);
    for (const auto* column : all) {
      text += fmt::format(
          " {:<5}",
          row == column ? "X" : to_string(device::distance(*row->function, *column->function)));
    }
    text += fmt::format(" {}\n", numa_of(*row->function));
  }
  text += '\n';
  for (const auto* one : all) text += legend(*one);
  return text +
         "\nX    itself\nPIX  over one PCIe switch (or root port)\n"
         "PXB  over several PCIe switches\nPHB  over the host bridge\n"
         "NODE over host bridges of one NUMA node\nSYS  over the link between NUMA nodes\n";
}

std::string topology_json(const device::Inventory& inventory, const Source& source) {
  const auto names = name(inventory);
  Json json = {{"schema", 1}, {"source", source.file.empty() ? "sysfs" : "file"}};
  if (!source.file.empty()) {
    json["file"] = source.file;
    json["functionsInFile"] = source.functions;
  }
  json["gpus"] = Json::array();
  for (const auto& named : names.gpus) json["gpus"].push_back(named_json(named));
  json["ports"] = Json::array();
  for (const auto& named : names.ports) json["ports"].push_back(named_json(named));
  json["distances"] = Json::object();
  const auto all = all_of(names);
  for (const auto* row : all) {
    for (const auto* column : all) {
      if (row == column) continue;
      json["distances"][row->name][column->name] =
          to_string(device::distance(*row->function, *column->function));
    }
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace railhead::print
