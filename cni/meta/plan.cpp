#include "cni/meta/plan.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/raw_json.hpp"
#include "base/text.hpp"
#include "cni/conf.hpp"
#include "cni/meta/selection.hpp"
#include "cni/meta/sources.hpp"
#include "cni/types/type.hpp"
#include "cnispec/delegate.hpp"
#include "cnispec/version.hpp"

namespace railhead::cni {

using cnispec::CapabilityArgs;
using cnispec::NetworkList;
using cnispec::PluginConf;

namespace {

constexpr std::string_view kClusterNetwork = "cluster network";
// Foreign types that attach the device of their network's resource, as the own ones do.
constexpr std::array<std::string_view, 4> kForeignDeviceTypes = {"ib-sriov", "ovs", "vdpa",
                                                                 "accelerated-bridge"};
// Types that lead back to who calls them.
constexpr std::array<std::string_view, 3> kMetaTypes = {kMetaType, kMultusType, "multus-shim"};
// What a runtime says of the sandbox goes to every network; the rest is the cluster network's, and
// others' by their own entry (multi-net-spec 1.3, 7.5).
constexpr std::array<std::string_view, 3> kSandboxCapabilities = {"dns", "cgroupPath", "aliases"};
constexpr std::string_view kDeviceInfoFolder = "/var/run/k8s.cni.cncf.io/devinfo/cni";

template <class List>
bool has(const List& list, std::string_view word) {
  return std::ranges::find(list, word) != std::end(list);
}

bool uses_device(const NetworkList& list) {
  return std::ranges::any_of(list.plugins, [](const PluginConf& plugin) {
    return is_own_type(plugin.type) || has(kForeignDeviceTypes, plugin.type);
  });
}

// The MAC of a VF comes by CNI_ARGS too, as sriov-cni takes it.
bool takes_mac(const NetworkList& list) {
  return std::ranges::any_of(list.plugins, [](const PluginConf& plugin) {
    return plugin.type == "sriov" || plugin.type == "railhead";
  });
}

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

std::string text_of(const RawObject& object, std::string_view key) {
  const auto raw = object.get(key).value_or("");
  return raw.size() >= 2 && raw.front() == '"' ? std::string(raw.substr(1, raw.size() - 2)) : "";
}

class Planner {
 public:
  explicit Planner(const PlanSource& source) : source_(source) {
    for (auto& [key, value] : cnispec::arg_pairs(source.request.args)) args_[key] = value;
  }

  Result<PodNetwork> cluster_network();
  Result<Plan> plan();

 private:
  struct Wanted {
    Selection selection;
    NetworkList list;
    std::string resource;
    std::string device;
    bool is_pods = false;  // the pod's author asked for it, not the node's
  };

  // Of CNI_ARGS; "" where it is not there.
  [[nodiscard]] std::string arg(const std::string& key) const {
    const auto found = args_.find(key);
    return found == args_.end() ? "" : found->second;
  }
  [[nodiscard]] std::string pod_namespace() const { return arg("K8S_POD_NAMESPACE"); }
  [[nodiscard]] std::string annotation(std::string_view key) const;
  Result<NetworkList> cluster_list();
  Result<Wanted> node_network(Selection selection);
  Result<Wanted> of_nad(Selection selection, const Nad& nad) const;
  [[nodiscard]] Result<Wanted> default_network(const std::string& annotation) const;
  [[nodiscard]] Result<void> check_namespace(const Selection& selection,
                                             std::string_view own) const;
  Result<std::vector<Wanted>> wanted();
  Result<void> give_devices(std::vector<Wanted>& all);
  Result<void> check_interfaces(std::vector<Wanted>& all) const;
  Result<void> check_routes(const std::vector<Wanted>& all) const;
  Result<void> check_capabilities(const Wanted& one);
  Result<void> check_plugins(const Wanted& one) const;
  [[nodiscard]] Result<void> check_program(const Wanted& one, const std::string& type) const;
  Result<void> check_devices(const Wanted& one) const;
  Result<void> object_to(const std::string& text);
  [[nodiscard]] CapabilityArgs capability_args(const Wanted& one) const;
  [[nodiscard]] std::string cni_args(const Wanted& one) const;
  [[nodiscard]] PodNetwork network(const Wanted& one) const;

  const PlanSource& source_;
  std::map<std::string, std::string> args_;  // CNI_ARGS
  Annotations annotations_;                  // the pod's
  std::vector<std::string> warnings_;
};

std::string Planner::annotation(std::string_view key) const {
  const auto found = annotations_.find(std::string(key));
  return found == annotations_.end() ? "" : found->second;
}

// What `strict` refuses, and a node in Multus' place warns of.
Result<void> Planner::object_to(const std::string& text) {
  if (source_.meta.strict) return refuse("{}", text);
  warnings_.push_back(text);
  return {};
}

// In Multus' order: a NAD, a configuration by its name, a folder's first file, a file.
Result<NetworkList> Planner::cluster_list() {
  const auto& meta = source_.meta;
  if (meta.delegate) return cnispec::parse_network(*meta.delegate, "");
  const auto& name = meta.cluster_network;
  if (name.find('/') == std::string::npos) {
    auto selection = read_selection(name, meta.multus_namespace);
    auto nad = selection ? source_.nad(selection->namespace_, selection->name) : pass(selection);
    if (nad && !nad->config.empty()) return cnispec::parse_network(nad->config, name);
    auto list = find_network(meta.conf_dir, name);
    // What the API server would say is waited for only where nothing else is there.
    if (!list && is(nad, ErrorCode::unavailable)) return pass(nad);
    return list;
  }
  auto first = first_network(name);
  return first ? first : read_network_file(name);
}

Result<PodNetwork> Planner::cluster_network() {
  auto list = cluster_list();
  if (!list) return pass(list, kClusterNetwork);
  Wanted one;
  one.selection.place = kClusterNetwork;
  one.selection.ifname = source_.request.ifname;
  one.list = std::move(*list);
  auto planned = network(one);
  planned.args = source_.request.args;
  planned.plugins.clear();
  for (const auto& plugin : one.list.plugins) {
    planned.plugins.push_back(
        {plugin.type, is_own_type(plugin.type),
         cnispec::plugin_input(one.list, plugin, source_.meta.runtime_config)});
  }
  if (auto good = check_plugins(one); !good) return pass(good);
  return planned;
}

// A network of a NAD: its text, or a file of the node by its name.
Result<Planner::Wanted> Planner::of_nad(Selection selection, const Nad& nad) const {
  auto list = nad.config.empty() ? find_network(source_.meta.conf_dir, selection.name)
                                 : cnispec::parse_network(nad.config, selection.name);
  if (!list) return pass(list, selection.place);
  auto resource = nad.resource;
  if (selection.rail && resource.empty()) {
    return refuse("{}: rail {}: its network has no resource (annotation {} of the NAD)",
                  selection.place, *selection.rail, kResourceNameKey);
  }
  // As the agent names a resource that has one per rail: "rdma/rail", "rdma/rail3".
  if (selection.rail) resource += std::to_string(*selection.rail);
  return Wanted{std::move(selection), std::move(*list), std::move(resource)};
}

// One that the node's configuration names: a NAD of the system namespace, or a file.
Result<Planner::Wanted> Planner::node_network(Selection selection) {
  const auto nad = source_.nad(selection.namespace_, selection.name);
  if (nad) return of_nad(std::move(selection), *nad);
  if (!is(nad, ErrorCode::not_found)) return pass(nad, selection.place);
  auto list = find_network(source_.meta.conf_dir, selection.name);
  if (!list) return pass(nad, selection.place);
  return Wanted{std::move(selection), std::move(*list), ""};
}

Result<void> Planner::check_namespace(const Selection& selection, std::string_view own) const {
  const auto& meta = source_.meta;
  if (!meta.namespace_isolation || selection.namespace_ == own ||
      has(meta.global_namespaces, selection.namespace_)) {
    return {};
  }
  return refuse(
      "{}: GetNetworkDelegates: namespace isolation enabled, annotation violates permission, pod "
      "is in namespace {} but refers to target namespace {}",
      selection.place, own, selection.namespace_);
}

// The pod's own cluster network: one NAD, of the system's namespace.
Result<Planner::Wanted> Planner::default_network(const std::string& annotation) const {
  const auto& meta = source_.meta;
  auto selections = read_selections(annotation, meta.multus_namespace);
  if (!selections) return pass(selections, kDefaultNetworkKey);
  if (selections->size() != 1) {
    return refuse("{}: more than one default network is specified: {}", kDefaultNetworkKey,
                  annotation);
  }
  auto& selection = selections->front();
  selection.place = fmt::format("{} ({})", kDefaultNetworkKey, selection.nad());
  selection.ifname = source_.request.ifname;
  if (auto may = check_namespace(selection, meta.multus_namespace); !may) return pass(may);
  const auto nad = source_.nad(selection.namespace_, selection.name);
  if (!nad) return pass(nad, selection.place);
  return of_nad(std::move(selection), *nad);
}

Result<std::vector<Planner::Wanted>> Planner::wanted() {
  const auto& meta = source_.meta;
  std::vector<Wanted> all;
  const bool is_system = has(meta.system_namespaces, pod_namespace());
  for (size_t i = 0; i < meta.default_networks.size() && !is_system; ++i) {
    auto selection = read_selection(meta.default_networks[i], meta.multus_namespace);
    if (!selection) return pass(selection, fmt::format("defaultNetworks[{}]", i));
    selection->place = fmt::format("defaultNetworks[{}] ({})", i, selection->nad());
    auto one = node_network(std::move(*selection));
    if (!one) return pass(one);
    all.push_back(std::move(*one));
  }
  auto selections = read_selections(annotation(kNetworksKey), pod_namespace());
  if (!selections) return pass(selections, kNetworksKey);
  for (auto& selection : *selections) {
    if (auto may = check_namespace(selection, pod_namespace()); !may) return pass(may);
    const auto nad = source_.nad(selection.namespace_, selection.name);
    if (!nad) return pass(nad, selection.place);
    if (!selection.unknown_keys.empty()) {
      warnings_.push_back(fmt::format("{}: keys that are not known here are ignored: {}",
                                      selection.place, fmt::join(selection.unknown_keys, ", ")));
    }
    auto one = of_nad(std::move(selection), *nad);
    if (!one) return pass(one);
    one->is_pods = true;
    all.push_back(std::move(*one));
  }
  return all;
}

// Who names a container gets of that one's before the others take theirs in turn.
Result<void> Planner::give_devices(std::vector<Wanted>& all) {
  const auto needs = [](const Wanted& one) {
    return !one.resource.empty() || !one.selection.container.empty();
  };
  if (std::ranges::none_of(all, needs)) return {};
  auto devices = source_.devices();
  if (!devices) return pass(devices);
  DeviceQueue queue(std::move(*devices));
  for (const bool is_named : {true, false}) {
    for (auto& one : all) {
      const auto& container = one.selection.container;
      if (container.empty() == is_named || !needs(one)) continue;
      if (one.resource.empty()) {
        return refuse("{}: container {}: its network has no resource (annotation {} of the NAD)",
                      one.selection.place, container, kResourceNameKey);
      }
      one.device = queue.take(one.resource, container);
      if (!one.device.empty() || !one.selection.device.empty() || !uses_device(one.list)) continue;
      const auto whose = container.empty() ? "the pod" : fmt::format("container {}", container);
      const auto text = fmt::format(
          "{}: {} has {} devices of {}, and none is left for this network: add {} to the "
          "container's resources",
          one.selection.place, whose, queue.count(one.resource), one.resource, one.resource);
      if (auto good = object_to(text); !good) return good;
    }
  }
  return {};
}

Result<void> Planner::check_interfaces(std::vector<Wanted>& all) const {
  std::map<std::string, std::string> taken{{source_.request.ifname, std::string(kClusterNetwork)}};
  for (size_t i = 0; i < all.size(); ++i) {
    auto& ifname = all[i].selection.ifname;
    if (ifname.empty()) ifname = fmt::format("net{}", i + 1);
    const auto [at, is_new] = taken.emplace(ifname, all[i].selection.place);
    if (is_new) continue;
    return refuse("{}: the interface name {} is asked for by {} already", all[i].selection.place,
                  ifname, at->second);
  }
  return {};
}

Result<void> Planner::check_routes(const std::vector<Wanted>& all) const {
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

Result<void> Planner::check_capabilities(const Wanted& one) {
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
    if (auto good = object_to(text); !good) return good;
  }
  return {};
}

Result<void> Planner::check_plugins(const Wanted& one) const {
  const auto& place = one.selection.place;
  if (!cnispec::is_supported(one.list.cni_version)) {
    return refuse("{}: cniVersion {}: expected one of {}", place, one.list.cni_version,
                  fmt::join(cnispec::kSupportedVersions, ", "));
  }
  for (const auto& plugin : one.list.plugins) {
    if (has(kMetaTypes, plugin.type)) {
      return refuse("{}: plugin type {} leads back to this program", place, plugin.type);
    }
    if (!is_own_type(plugin.type)) {
      if (auto good = check_program(one, plugin.type); !good) return good;
    }
    const auto& ipam = plugin.ipam_type;
    if (ipam.empty()) continue;
    if (has(kMetaTypes, ipam) || is_own_type(ipam)) {
      return refuse("{}: ipam type {}: it is no IPAM plugin", place, ipam);
    }
    if (auto good = check_program(one, ipam); !good) return good;
  }
  return {};
}

// A program that stands in a plugin's folder, and that the node lets pods' networks use.
Result<void> Planner::check_program(const Wanted& one, const std::string& type) const {
  const auto& allowed = source_.meta.plugin_allow_list;
  if (one.is_pods && allowed && !has(*allowed, type)) {
    return refuse("{}: plugin type {} is not in the node's pluginAllowList ({})",
                  one.selection.place, type, fmt::join(*allowed, ", "));
  }
  const auto found = cnispec::find_plugin(type, plugin_path(source_.request, source_.meta));
  return found ? Result<void>() : pass(found, one.selection.place);
}

// Devices that the entry or the NAD names itself.
Result<void> Planner::check_devices(const Wanted& one) const {
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
    if (auto may = source_.may_have(device); !may) return pass(may, one.selection.place);
  }
  return {};
}

CapabilityArgs Planner::capability_args(const Wanted& one) const {
  CapabilityArgs all;
  for (const auto& [key, value] : source_.meta.runtime_config) {
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
                                source_.request.container_id, asked.ifname));
  }
  return all;
}

// Multus' order: what plugins in the field are used to.
std::string Planner::cni_args(const Wanted& one) const {
  std::string text = "IgnoreUnknown=true";
  constexpr std::array<std::string_view, 4> kFirst = {"K8S_POD_NAMESPACE", "K8S_POD_NAME",
                                                      "K8S_POD_INFRA_CONTAINER_ID", "K8S_POD_UID"};
  for (const auto key : kFirst) {
    const auto found = args_.find(std::string(key));
    if (found != args_.end()) text += fmt::format(";{}={}", key, found->second);
  }
  for (const auto& [key, value] : cnispec::arg_pairs(source_.request.args)) {
    if (key != "IgnoreUnknown" && !has(kFirst, key)) text += fmt::format(";{}={}", key, value);
  }
  if (!one.selection.mac.empty()) text += ";MAC=" + one.selection.mac;
  if (!one.selection.ips.empty()) text += ";IP=" + join(one.selection.ips, ",");
  return text;
}

PodNetwork Planner::network(const Wanted& one) const {
  PodNetwork planned;
  planned.nad = one.selection.name.empty() ? "" : one.selection.nad();
  planned.name = one.list.name;
  planned.cni_version = one.list.cni_version;
  planned.ifname = one.selection.ifname;
  planned.args = cni_args(one);
  planned.place = one.selection.place;
  planned.disable_check = one.list.disable_check;
  planned.disable_gc = one.list.disable_gc;
  planned.gateways = one.selection.gateways;
  planned.device = one.device;
  planned.resource = one.device.empty() ? "" : one.resource;
  const auto arguments = capability_args(one);
  for (const auto& plugin : one.list.plugins) {
    auto object = RawObject::of(plugin.text);
    if (!one.device.empty()) {
      object.set("deviceID", json_string(one.device));
      object.set("pciBusID", json_string(one.device));
    }
    merge_cni_args(object, one.selection.cni_args);
    const PluginConf changed{plugin.type, object.text(), plugin.ipam_type, plugin.capabilities};
    planned.plugins.push_back({plugin.type, is_own_type(plugin.type),
                               cnispec::plugin_input(one.list, changed, arguments)});
  }
  return planned;
}

Result<Plan> Planner::plan() {
  Plan plan;
  auto& record = plan.record;
  record.container_id = source_.request.container_id;
  record.pod_namespace = pod_namespace();
  record.pod_name = arg("K8S_POD_NAME");
  record.pod_uid = arg("K8S_POD_UID");
  record.netns_path = source_.request.netns;
  record.network = source_.conf.name;
  record.plugin_path = plugin_path(source_.request, source_.meta);
  if (source_.meta.annotations) {
    annotations_ = *source_.meta.annotations;
  } else if (!record.pod_name.empty()) {
    auto asked = source_.annotations();
    if (!asked) return pass(asked);
    annotations_ = std::move(*asked);
  }

  auto all = wanted();
  if (!all) return pass(all);
  const auto name = annotation(kDefaultNetworkKey);
  if (!name.empty()) {
    auto one = default_network(name);
    if (!one) return pass(one);
    one->is_pods = true;
    all->insert(all->begin(), std::move(*one));
  } else {
    auto cluster = cluster_network();
    if (!cluster) return pass(cluster);
    record.networks.push_back(std::move(*cluster));
  }
  const bool has_default = !name.empty();
  if (auto given = give_devices(*all); !given) return pass(given);
  std::vector<Wanted> secondary(all->begin() + (has_default ? 1 : 0), all->end());
  if (auto good = check_interfaces(secondary); !good) return pass(good);
  if (has_default) secondary.insert(secondary.begin(), all->front());
  if (auto good = check_routes(secondary); !good) return pass(good);
  for (const auto& one : secondary) {
    for (const auto& good : {check_capabilities(one), check_plugins(one), check_devices(one)}) {
      if (!good) return pass(good);
    }
    record.networks.push_back(network(one));
  }
  plan.warnings = std::move(warnings_);
  return plan;
}

}  // namespace

Result<Plan> make_plan(const PlanSource& source) { return Planner(source).plan(); }

Result<PodNetwork> plan_cluster_network(const PlanSource& source) {
  return Planner(source).cluster_network();
}

std::string plugin_path(const cnispec::Request& request, const MetaConf& meta) {
  return request.path.empty() ? meta.bin_dir : fmt::format("{}:{}", meta.bin_dir, request.path);
}

}  // namespace railhead::cni
