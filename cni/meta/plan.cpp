#include "cni/meta/plan.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.hpp"
#include "cni/conf.hpp"
#include "cni/meta/late_guid.hpp"
#include "cni/meta/plan_checks.hpp"
#include "cni/meta/plugin_inputs.hpp"
#include "cni/meta/rails.hpp"
#include "cni/meta/wanted_network.hpp"
#include "cni/types/type.hpp"
#include "host/files.hpp"

namespace railhead::cni {

using cnispec::NetworkList;
using cnispec::PluginConf;

namespace {

// Foreign types that attach the device of their network's resource, as the own ones do.
constexpr std::array<std::string_view, 3> kForeignDeviceTypes = {"ovs", "vdpa",
                                                                 "accelerated-bridge"};

bool uses_device(const NetworkList& list) {
  return std::ranges::any_of(list.plugins, [](const PluginConf& plugin) {
    return is_own_type(plugin.type) || has(kForeignDeviceTypes, plugin.type);
  });
}

// A macvlan on a shared HCA, say: it comes up, and without the resource no RDMA works on it.
std::string without_resource(const WantedNetwork& one) {
  return fmt::format(
      "{}: it is a network of {}, of which the pod has none: add {}: 1 to the resources of a "
      "container",
      one.selection.place, one.resource, one.resource);
}

class Planner {
 public:
  explicit Planner(const PlanSource& source) : source_(source), objections_(source.meta.strict) {
    for (auto& [key, value] : cnispec::arg_pairs(source.request.args)) args_[key] = value;
  }

  Result<PodNetwork> cluster_network();
  Result<Plan> plan();

 private:
  // Of CNI_ARGS; "" where it is not there.
  [[nodiscard]] std::string arg(const std::string& key) const {
    const auto found = args_.find(key);
    return found == args_.end() ? "" : found->second;
  }
  [[nodiscard]] std::string pod_namespace() const { return arg("K8S_POD_NAMESPACE"); }
  [[nodiscard]] std::string annotation(std::string_view key) const;
  Result<NetworkList> cluster_list();
  Result<WantedNetwork> node_network(Selection selection);
  Result<WantedNetwork> of_nad(Selection selection, const Nad& nad) const;
  [[nodiscard]] Result<WantedNetwork> default_network(const std::string& annotation) const;
  [[nodiscard]] Result<void> check_namespace(const Selection& selection,
                                             std::string_view own) const;
  Result<std::vector<WantedNetwork>> wanted();
  [[nodiscard]] Result<void> await_guids(std::span<WantedNetwork> pods) const;
  static void name_interfaces(std::span<WantedNetwork> entries);
  Result<void> give_devices(std::vector<WantedNetwork>& all);

  const PlanSource& source_;
  std::map<std::string, std::string> args_;  // CNI_ARGS
  Annotations annotations_;                  // the pod's
  Objections objections_;
};

std::string Planner::annotation(std::string_view key) const {
  const auto found = annotations_.find(std::string(key));
  return found == annotations_.end() ? "" : found->second;
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
  const bool is_folder = host::Directory::open(name).has_value();
  auto list = is_folder ? first_network(name) : read_network_file(name);
  if (!list || meta.auxiliary_chain.empty()) return list;
  const auto folder = is_folder ? name : name.substr(0, name.rfind('/'));
  const auto chain = fmt::format("{}/{}", folder, meta.auxiliary_chain);
  if (auto appended = append_plugins(chain, *list); !appended) return pass(appended);
  return list;
}

Result<PodNetwork> Planner::cluster_network() {
  auto list = cluster_list();
  if (!list) return pass(list, kClusterNetwork);
  WantedNetwork one;
  one.selection.place = kClusterNetwork;
  one.selection.ifname = source_.request.ifname;
  one.list = std::move(*list);
  auto planned = planned_network(source_, one);
  planned.args = source_.request.args;
  planned.plugins.clear();
  for (const auto& plugin : one.list.plugins) {
    planned.plugins.push_back(
        {plugin.type, is_own_type(plugin.type),
         cnispec::plugin_input(one.list, plugin, source_.meta.runtime_config)});
  }
  if (auto good = check_plugins(source_, one); !good) return pass(good);
  return planned;
}

// A network of a NAD: its text, or a file of the node by its name.
Result<WantedNetwork> Planner::of_nad(Selection selection, const Nad& nad) const {
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
  auto rails = read_rails(*list);
  if (!rails) return pass(rails, selection.place);
  WantedNetwork one{std::move(selection), std::move(*list), std::move(resource)};
  one.rails = std::move(*rails);
  if (one.rails && one.resource.empty() && one.rails->resources.empty()) {
    return refuse(
        "{}: rails: its network has no resource (annotation {} of the NAD, or the key "
        "resources)",
        one.selection.place, kResourceNameKey);
  }
  return one;
}

// One that the node's configuration names: a NAD of the system namespace, or a file.
Result<WantedNetwork> Planner::node_network(Selection selection) {
  const auto nad = source_.nad(selection.namespace_, selection.name);
  if (nad) return of_nad(std::move(selection), *nad);
  if (!is(nad, ErrorCode::not_found)) return pass(nad, selection.place);
  auto list = find_network(source_.meta.conf_dir, selection.name);
  if (!list) return pass(nad, selection.place);
  return WantedNetwork{std::move(selection), std::move(*list), ""};
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
Result<WantedNetwork> Planner::default_network(const std::string& annotation) const {
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

Result<std::vector<WantedNetwork>> Planner::wanted() {
  const auto& meta = source_.meta;
  std::vector<WantedNetwork> all;
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
      objections_.warn(fmt::format("{}: keys that are not known here are ignored: {}",
                                   selection.place, fmt::join(selection.unknown_keys, ", ")));
    }
    auto one = of_nad(std::move(selection), *nad);
    if (!one) return pass(one);
    one->is_pods = true;
    all.push_back(std::move(*one));
  }
  const auto pods = std::span(all).last(selections->size());
  if (auto known = await_guids(pods); !known) return pass(known);
  return all;
}

// The runtime's copy of the annotation tells the networks, and may be older than the GUIDs in it.
Result<void> Planner::await_guids(std::span<WantedNetwork> pods) const {
  if (std::ranges::none_of(pods, waits_for_guid)) return {};
  const auto known = source_.await_annotations([&](const Annotations& later) {
    const auto networks = later.find(std::string(kNetworksKey));
    if (networks != later.end()) take_guids(pods, networks->second, pod_namespace());
    return std::ranges::none_of(pods, waits_for_guid);
  });
  if (known) return {};
  return pass(known, fmt::format("{}: ib-kubernetes has not given it a GUID",
                                 std::ranges::find_if(pods, waits_for_guid)->selection.place));
}

// Who names a container gets of that one's before the others take theirs in turn.
Result<void> Planner::give_devices(std::vector<WantedNetwork>& all) {
  const auto needs = [](const WantedNetwork& one) {
    return one.rails || !one.resource.empty() || !one.selection.container.empty();
  };
  if (std::ranges::none_of(all, needs)) return {};
  auto devices = source_.devices();
  if (!devices) return pass(devices);
  DeviceQueue queue(std::move(*devices));
  std::vector<std::vector<WantedNetwork>> spread(all.size());
  for (const bool is_named : {true, false}) {
    for (size_t i = 0; i < all.size(); ++i) {
      auto& one = all[i];
      const auto& container = one.selection.container;
      if (container.empty() == is_named || !needs(one)) continue;
      if (one.rails) {
        auto networks =
            spread_over_rails(one, queue, source_.rail_of, source_.far_pairs, objections_);
        if (!networks) return pass(networks);
        spread[i] = std::move(*networks);
        continue;
      }
      if (one.resource.empty()) {
        return refuse("{}: container {}: its network has no resource (annotation {} of the NAD)",
                      one.selection.place, container, kResourceNameKey);
      }
      one.device = queue.take(one.resource, container);
      if (!one.device.empty() || !one.selection.device.empty()) continue;
      if (!uses_device(one.list)) {
        if (queue.count(one.resource) == 0) objections_.warn(without_resource(one));
        continue;
      }
      const auto whose = container.empty() ? "the pod" : fmt::format("container {}", container);
      const auto text = fmt::format(
          "{}: {} has {} devices of {}, and none is left for this network: add {} to the "
          "container's resources",
          one.selection.place, whose, queue.count(one.resource), one.resource, one.resource);
      if (auto good = objections_.raise(text); !good) return good;
    }
  }
  for (auto& one : all) {
    if (one.rails || one.device.empty() || !lacks_rail(one)) continue;
    const auto place = source_.rail_of(one.device);
    if (!place) return pass(place, one.selection.place);
    one.rail = {*place, 0};
  }
  for (const auto& one : all) {
    if (one.rails) warn_of_left(one, queue, source_.rail_of, objections_);
  }
  std::vector<WantedNetwork> flat;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!all[i].rails) spread[i].push_back(std::move(all[i]));
    std::ranges::move(spread[i], std::back_inserter(flat));
  }
  // Tables and addresses go by the device's number on its rail, whichever networks they are of.
  std::map<uint32_t, uint32_t> on_rail;
  for (auto& one : flat) {
    if (one.rail) one.rail->further = on_rail[one.rail->place.rail]++;
  }
  all = std::move(flat);
  return {};
}

// net1, net2, … by the entry's place, where none is asked for; those over rails have names of their
// own.
void Planner::name_interfaces(std::span<WantedNetwork> entries) {
  for (size_t i = 0; i < entries.size(); ++i) {
    auto& ifname = entries[i].selection.ifname;
    if (ifname.empty() && !entries[i].rails) ifname = fmt::format("net{}", i + 1);
  }
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
    if (one->rails) {
      return refuse("{}: rails: the cluster network has one interface", one->selection.place);
    }
    one->is_pods = true;
    all->insert(all->begin(), std::move(*one));
  } else {
    auto cluster = cluster_network();
    if (!cluster) return pass(cluster);
    record.networks.push_back(std::move(*cluster));
  }
  const bool has_default = !name.empty();
  name_interfaces(std::span(*all).subspan(has_default ? 1 : 0));
  if (auto given = give_devices(*all); !given) return pass(given);
  std::vector<WantedNetwork> secondary(all->begin() + (has_default ? 1 : 0), all->end());
  if (auto good = check_names(source_, secondary); !good) return pass(good);
  if (has_default) secondary.insert(secondary.begin(), all->front());
  if (auto good = check_routes(secondary); !good) return pass(good);
  for (const auto& one : secondary) {
    if (auto good = check_network(source_, one, objections_); !good) return pass(good);
    record.networks.push_back(planned_network(source_, one));
  }
  plan.warnings = std::move(objections_.warnings());
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
