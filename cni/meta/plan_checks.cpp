#include "cni/meta/plan_checks.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/raw_json.hpp"
#include "cni/ipam.hpp"
#include "cni/own_ipam.hpp"
#include "cni/rails_ipam.hpp"
#include "cni/types/type.hpp"
#include "cnispec/delegate.hpp"
#include "cnispec/version.hpp"

namespace railhead::cni {

using cnispec::NetworkList;
using cnispec::PluginConf;

namespace {

// Types that lead back to who calls them.
constexpr std::array<std::string_view, 3> kMetaTypes = {kMetaType, kMultusType, "multus-shim"};

// The MAC of a VF comes by CNI_ARGS too, as sriov-cni takes it.
bool takes_mac(const NetworkList& list) {
  return std::ranges::any_of(list.plugins, [](const PluginConf& plugin) {
    return plugin.type == "sriov" || plugin.type == "railhead";
  });
}

std::string text_of(const RawObject& object, std::string_view key) {
  const auto raw = object.get(key).value_or("");
  return raw.size() >= 2 && raw.front() == '"' ? std::string(raw.substr(1, raw.size() - 2)) : "";
}

// A program that stands in a plugin's folder, and that the node lets pods' networks use.
Result<void> check_allowed(const PlanSource& source, const WantedNetwork& one,
                           const std::string& type) {
  const auto& allowed = source.meta.plugin_allow_list;
  if (one.is_pods && allowed && !has(*allowed, type)) {
    return refuse("{}: plugin type {} is not in the node's pluginAllowList ({})",
                  one.selection.place, type, fmt::join(*allowed, ", "));
  }
  return {};
}

Result<void> check_program(const PlanSource& source, const WantedNetwork& one,
                           const std::string& type) {
  if (auto good = check_allowed(source, one, type); !good) return good;
  const auto found = cnispec::find_plugin(type, plugin_path(source.request, source.meta));
  return found ? Result<void>() : pass(found, one.selection.place);
}

Result<void> check_capabilities(const WantedNetwork& one, Objections& objections) {
  const auto& asked = one.selection;
  const std::pair<std::string_view, bool> capabilities[] = {
      {"ips", !asked.ips.empty()},
      {"mac", !asked.mac.empty() && !takes_mac(one.list)},
      {"infinibandGUID", !asked.infiniband_guid.empty()},
      {"portMappings", !asked.port_mappings.empty()},
      {"bandwidth", !asked.bandwidth.empty()}};
  for (const auto& [capability, is_asked] : capabilities) {
    if (!is_asked || one.list.has_capability(capability)) continue;
    const auto text = fmt::format(
        "{}: {} is asked for, and no plugin of {} declares the capability: it would be left out "
        "silently",
        asked.place, capability, one.list.name);
    if (auto good = objections.raise(text); !good) return good;
  }
  return {};
}

// Devices that the entry or the NAD names itself.
Result<void> check_devices(const PlanSource& source, const WantedNetwork& one) {
  std::set<std::string> named;
  if (one.device.empty() && !one.selection.device.empty()) named.insert(one.selection.device);
  for (const auto& plugin : one.list.plugins) {
    const auto object = RawObject::of(plugin.text);
    const auto runtime = RawObject::of(object.get("runtimeConfig").value_or("{}"));
    for (const auto& device :
         {text_of(object, "deviceID"), text_of(object, "pciBusID"), text_of(runtime, "deviceID")}) {
      if (!device.empty() && one.device.empty()) named.insert(device);
    }
  }
  for (const auto& device : named) {
    if (auto may = source.may_have(device); !may) return pass(may, one.selection.place);
  }
  return {};
}

}  // namespace

Result<void> check_names(const PlanSource& source, std::span<const WantedNetwork> all) {
  std::map<std::string, std::string> taken{{source.request.ifname, std::string(kClusterNetwork)}};
  for (const auto& one : all) {
    const auto& [place, ifname] = std::tie(one.selection.place, one.selection.ifname);
    const auto [at, is_new] = taken.emplace(ifname, place);
    if (is_new) continue;
    return refuse("{}: the interface name {} is asked for by {} already", place, ifname,
                  at->second);
  }
  return {};
}

Result<void> check_routes(std::span<const WantedNetwork> all) {
  std::map<bool, std::string> families;  // v6, by whom
  for (const auto& one : all) {
    for (const auto& gateway : one.selection.gateways.value_or(std::vector<std::string>{})) {
      const bool v6 = gateway.find(':') != std::string::npos;
      const auto [at, is_new] = families.emplace(v6, one.selection.place);
      if (is_new) continue;
      return refuse(
          "{}: multus does not support ECMP for default-route: {} asks for one of IPv{} already",
          one.selection.place, at->second, v6 ? 6 : 4);
    }
  }
  return {};
}

// In any case of its letters, as it is read.
bool names_ipam_dirs(const std::string& text) {
  const auto config = go_json::parse(text);
  std::vector<Error> errors;
  return config && config->is_object() && go_json::Object(*config, "", errors).has("ipamDirs");
}

Result<void> check_plugins(const PlanSource& source, const WantedNetwork& one) {
  const auto& place = one.selection.place;
  if (!cnispec::is_supported(one.list.cni_version)) {
    return refuse("{}: cniVersion {}: expected one of {}", place, one.list.cni_version,
                  fmt::join(cnispec::kSupportedVersions, ", "));
  }
  for (const auto& plugin : one.list.plugins) {
    if (is_own_type(plugin.type) && RawObject::of(plugin.text).get("guidPool")) {
      return refuse(
          "{}: guidPool: a range is one node's, and stands in its configuration (railhead install "
          "--setting guidPool=FIRST-LAST)",
          place);
    }
    if (is_own_type(plugin.type) && names_ipam_dirs(plugin.text)) {
      return refuse(
          "{}: ipamDirs: they are the node's, and stand in its configuration (railhead install "
          "--setting 'ipamDirs=[\"/run/leases\"]')",
          place);
    }
    if (has(kMetaTypes, plugin.type)) {
      return refuse("{}: plugin type {} leads back to this program", place, plugin.type);
    }
    if (!is_own_type(plugin.type)) {
      if (auto good = check_program(source, one, plugin.type); !good) return good;
    }
    const auto& ipam = plugin.ipam_type;
    if (ipam.empty()) continue;
    if (has(kMetaTypes, ipam) || is_own_type(ipam)) {
      return refuse("{}: ipam type {}: it is no IPAM plugin", place, ipam);
    }
    const bool is_run_here =
        is_own_type(plugin.type) && (ipam == kRailsIpam || ipam == kHostIpam || is_own_ipam(ipam));
    const auto good =
        is_run_here ? check_allowed(source, one, ipam) : check_program(source, one, ipam);
    if (!good) return good;
  }
  return {};
}

Result<void> check_network(const PlanSource& source, const WantedNetwork& one,
                           Objections& objections) {
  if (auto good = check_capabilities(one, objections); !good) return good;
  if (auto good = check_plugins(source, one); !good) return good;
  return check_devices(source, one);
}

}  // namespace railhead::cni
