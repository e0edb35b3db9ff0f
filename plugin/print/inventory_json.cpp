#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "plugin/print/inventory.hpp"
#include "plugin/print/tree.hpp"

namespace railhead::print {
namespace {

using Json = nlohmann::ordered_json;
using device::PciFunction;

template <class T>
void put(Json& json, const char* key, const std::optional<T>& value) {
  if (value) json[key] = *value;
}

Json addresses(const std::vector<PciAddress>& list) {
  auto json = Json::array();
  for (const auto& address : list) json.push_back(address.to_string());
  return json;
}

Json netdev_json(const device::Netdev& netdev) {
  Json json = {{"name", netdev.name},    {"index", netdev.index},
               {"arpType", netdev.type}, {"mtu", netdev.mtu},
               {"up", netdev.up},        {"address", netdev.address.to_string()}};
  put(json, "carrier", netdev.carrier);
  put(json, "physPortName", netdev.phys_port_name);
  put(json, "physSwitchId", netdev.phys_switch_id);
  json["defaultRoute"] = netdev.default_route;
  json["globalAddress"] = netdev.global_address;
  if (netdev.bond) json["bond"] = netdev.bond->name;
  return json;
}

Json port_json(const std::string& device, const host::RdmaPort& port, const Details& details) {
  Json json = {{"number", port.number}, {"state", port_state(port.state)}};
  put(json, "netdev", port.netdev);
  json["gids"] = Json::array();
  const auto gids = details.gids.find({device, port.number});
  if (gids == details.gids.end()) return json;
  for (const auto& gid : gids->second) {
    Json& one = json["gids"].emplace_back(Json{{"index", gid.index}, {"gid", gid.gid}});
    if (!gid.type.empty()) one["type"] = gid.type;
    put(one, "ipv4", ipv4_of(gid.gid));
    put(one, "netdev", gid.netdev);
  }
  return json;
}

Json rdma_json(const device::RdmaDevice& device, const Details& details) {
  Json json = {{"name", device.name}, {"inHostNamespace", device.in_host_namespace}};
  if (device.in_host_namespace) {
    json["nodeGuid"] = device.node_guid.to_string();
    json["linkLayer"] = to_string(device.link_layer);
  }
  json["ports"] = Json::array();
  for (const auto& port : device.ports) {
    json["ports"].push_back(port_json(device.name, port, details));
  }
  json["charDevices"] = Json::array();
  for (const auto& one : device.char_devices) json["charDevices"].push_back(one.path());
  return json;
}

Json function_json(const PciFunction& function, const Details& details) {
  Json json = {{"address", function.address.to_string()},
               {"kind", to_lower(kind_of(function))},
               {"vendor", function.vendor},
               {"device", function.device_id},
               {"class", fmt::format("{:06x}", function.pci_class)},
               {"driver", function.driver}};
  put(json, "numaNode", function.numa_node);
  json["path"] = function.path;
  if (function.iommu_group) {
    json["iommuGroup"] = {{"number", *function.iommu_group}};
    const auto group = details.iommu_groups.find(*function.iommu_group);
    if (group != details.iommu_groups.end()) {
      json["iommuGroup"]["viable"] = group->second.viable();
      json["iommuGroup"]["members"] = addresses(group->second.members);
      json["iommuGroup"]["blockedBy"] = addresses(group->second.blocking);
    }
  }
  if (function.pf) json["pf"] = function.pf->to_string();
  put(json, "vfIndex", function.vf_index);
  put(json, "totalVfs", function.total_vfs);
  if (function.total_vfs) {
    json["vfs"] = Json::array();
    for (const auto& vf : function.vfs) {
      json["vfs"].push_back(vf ? Json(vf->to_string()) : Json(nullptr));
    }
  }
  put(json, "eswitchMode", function.eswitch_mode);
  json["netdevs"] = Json::array();
  for (const auto& netdev : function.netdevs) json["netdevs"].push_back(netdev_json(netdev));
  json["rdma"] = Json::array();
  for (const auto& device : function.rdma) json["rdma"].push_back(rdma_json(device, details));
  if (function.vdpa) {
    json["vdpa"] = {{"name", function.vdpa->name}, {"driver", function.vdpa->driver}};
  }
  return json;
}

}  // namespace

std::string inventory_json(const device::Inventory& inventory, const Details& details) {
  Json json = {{"schema", 1}};
  if (const auto mode = inventory.rdma_netns_mode()) {
    json["rdmaNetnsMode"] = host::to_string(*mode);
  }
  json["functions"] = Json::array();
  for (const auto& function : inventory.functions()) {
    json["functions"].push_back(function_json(function, details));
  }
  json["warnings"] = inventory.warnings();
  for (const auto& warning : details.warnings) json["warnings"].push_back(warning);
  // A netdev's name may be any bytes.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace railhead::print
