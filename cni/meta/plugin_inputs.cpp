#include "cni/meta/plugin_inputs.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "base/raw_json.hpp"
#include "base/text.hpp"
#include "cni/own_ipam.hpp"
#include "cni/types/type.hpp"

namespace railhead::cni {

using cnispec::CapabilityArgs;
using cnispec::PluginConf;

namespace {

// What a runtime says of the sandbox goes to every network; the rest is the cluster network's, and
// others' by their own entry (multi-net-spec 1.3, 7.5).
constexpr std::array<std::string_view, 3> kSandboxCapabilities = {"dns", "cgroupPath", "aliases"};
constexpr std::string_view kDeviceInfoFolder = "/var/run/k8s.cni.cncf.io/devinfo/cni";

std::string json_list(const std::vector<std::string>& texts) {
  std::string list;
  for (const auto& text : texts) list += (list.empty() ? "" : ",") + json_string(text);
  return "[" + list + "]";
}

// Puts keys into an object below an object: {"args":{"cni":{…}}}.
void merge_cni_args(RawObject& plugin, const std::map<std::string, std::string>& values) {
  if (values.empty()) return;
  const auto below = [](const RawObject& object, std::string_view key) {
    return RawObject::parse(object.get(key).value_or("{}")).value_or(RawObject());
  };
  auto args = below(plugin, "args");
  auto cni = below(args, "cni");
  for (const auto& [key, value] : values) cni.set(key, value.empty() ? "null" : value);
  args.set("cni", cni.text());
  plugin.set("args", args.text());
}

CapabilityArgs capability_args(const PlanSource& source, const WantedNetwork& one) {
  CapabilityArgs all;
  for (const auto& [key, value] : source.meta.runtime_config) {
    if (has(kSandboxCapabilities, key)) all.emplace(key, value);
  }
  const auto& asked = one.selection;
  if (!asked.ips.empty()) all["ips"] = json_list(asked.ips);
  if (!asked.mac.empty()) all["mac"] = json_string(asked.mac);
  if (!asked.infiniband_guid.empty()) all["infinibandGUID"] = json_string(asked.infiniband_guid);
  if (!asked.port_mappings.empty()) all["portMappings"] = asked.port_mappings;
  if (!asked.bandwidth.empty()) all["bandwidth"] = asked.bandwidth;
  const auto& device = one.device.empty() ? asked.device : one.device;
  if (!device.empty()) all["deviceID"] = json_string(device);
  if (!one.device.empty()) {
    all["CNIDeviceInfoFile"] =
        json_string(fmt::format("{}/{}-{}-{}_{}", kDeviceInfoFolder, asked.namespace_, asked.name,
                                source.request.container_id, asked.ifname));
  }
  return all;
}

// Multus' order: what plugins in the field are used to.
std::string cni_args(const PlanSource& source, const WantedNetwork& one) {
  std::string text = "IgnoreUnknown=true";
  constexpr std::array<std::string_view, 4> kFirst = {"K8S_POD_NAMESPACE", "K8S_POD_NAME",
                                                      "K8S_POD_INFRA_CONTAINER_ID", "K8S_POD_UID"};
  const auto pairs = cnispec::arg_pairs(source.request.args);
  const std::map<std::string, std::string> last(pairs.begin(), pairs.end());
  for (const auto key : kFirst) {
    const auto found = last.find(std::string(key));
    if (found != last.end()) text += fmt::format(";{}={}", key, found->second);
  }
  for (const auto& [key, value] : pairs) {
    if (key != "IgnoreUnknown" && !has(kFirst, key)) text += fmt::format(";{}={}", key, value);
  }
  if (!one.selection.mac.empty()) text += ";MAC=" + one.selection.mac;
  if (!one.selection.ips.empty()) text += ";IP=" + join(one.selection.ips, ",");
  return text;
}

// Ours alone: others may take an unknown key for an error.
bool takes_guid_pool(std::string_view type) { return type == "railhead" || type == "ib-sriov"; }

// Whether a plugin of the chain leads what the interface sends by a table of its own.
bool leads_itself(const cnispec::NetworkList& list) {
  return std::ranges::any_of(list.plugins, [](const auto& plugin) {
    return plugin.type == "vrf" || plugin.type == "sbr";
  });
}

}  // namespace

PodNetwork planned_network(const PlanSource& source, const WantedNetwork& one) {
  PodNetwork planned;
  planned.nad = one.selection.name.empty() ? "" : one.selection.nad();
  planned.name = one.list.name;
  planned.cni_version = one.list.cni_version;
  planned.ifname = one.selection.ifname;
  planned.args = cni_args(source, one);
  planned.place = one.selection.place;
  planned.disable_check = one.list.disable_check;
  planned.disable_gc = one.list.disable_gc;
  planned.gateways = one.selection.gateways;
  planned.device = one.device;
  planned.resource = one.device.empty() ? "" : one.resource;
  const auto arguments = capability_args(source, one);
  for (const auto& plugin : one.list.plugins) {
    auto object = RawObject::of(plugin.text);
    if (!one.device.empty()) {
      object.set("deviceID", json_string(one.device));
      object.set("pciBusID", json_string(one.device));
    }
    if (one.rails) {  // it has become one network for each device
      object.erase("rails");
      object.erase("resources");
      object.erase("affinity");
    }
    if (one.rail && is_own_type(plugin.type)) {
      object.set("rail", std::to_string(one.rail->place.rail));
      object.set("railIndex", std::to_string(one.rail->further));
      if (plugin.type == "railhead" && !object.get("multiNic") && leads_itself(one.list)) {
        object.set("multiNic", "false");
      }
    }
    if (!source.meta.guid_pool.empty() && takes_guid_pool(plugin.type)) {
      object.set("guidPool", json_string(source.meta.guid_pool));
    }
    if (!source.meta.ipam_dirs.empty() && is_own_type(plugin.type) &&
        is_own_ipam(plugin.ipam_type)) {
      object.set("ipamDirs", json_list(source.meta.ipam_dirs));
    }
    merge_cni_args(object, one.selection.cni_args);
    const PluginConf changed{plugin.type, object.text(), plugin.ipam_type, plugin.capabilities};
    planned.plugins.push_back({plugin.type, is_own_type(plugin.type),
                               cnispec::plugin_input(one.list, changed, arguments)});
  }
  return planned;
}

}  // namespace railhead::cni
