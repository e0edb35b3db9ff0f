#include "cni/meta/meta_conf.hpp"

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/guid.hpp"
#include "base/raw_json.hpp"
#include "base/text.hpp"
#include "cni/conf.hpp"

namespace railhead::cni {

using go_json::Object;
using Json = nlohmann::ordered_json;

namespace {

// Multus' keys that say where what we have no use for is, and those of CNI and of this program that
// other parts read.
constexpr std::string_view kOtherKeys[] = {
    "cniVersion",   "cniVersions",       "name",       "type",
    "capabilities", "prevResult",        "cniDir",     "logFile",
    "logLevel",     "logToStderr",       "logOptions", "dns",
    "ipam",         "addTimeout",        "delTimeout", "ownership",
    "disableCheck", "disableGC",         "args",       "retryDeleteOnError",
    "plugins",      "perNodeCertificate"};

Result<void> read_cluster_network(Object& object, std::string_view text, MetaConf& conf) {
  conf.cluster_network = object.string("clusterNetwork").value_or("");
  const auto* delegates = object.value("delegates");
  if (!delegates) return {};
  const auto raw = RawObject::parse(text);
  const auto list = raw ? raw_elements(raw->get("delegates").value_or("[]")) : pass(raw);
  if (!list) return refuse("LoadNetConf: delegates: {}", list.error().message);
  if (list->size() > 1) {
    return refuse(
        "LoadNetConf: delegates: expected one, the cluster network, got {}; other "
        "networks are asked for by pods, or by defaultNetworks",
        list->size());
  }
  if (list->empty()) return {};
  if (!conf.cluster_network.empty()) {
    return refuse("LoadNetConf: delegates and clusterNetwork exclude each other");
  }
  conf.delegate = list->front();
  return {};
}

void read_runtime_config(Object& object, std::string_view text, MetaConf& conf) {
  auto runtime = object.object("runtimeConfig");
  if (!runtime) return;
  conf.annotations = runtime->string_map(kPodAnnotations);
  // As Go writes a map that is empty.
  if (runtime->has(kPodAnnotations) && !runtime->value(kPodAnnotations)) conf.annotations.emplace();
  const auto raw = RawObject::parse(text);
  const auto members = raw ? RawObject::parse(raw->get("runtimeConfig").value_or("{}")) : pass(raw);
  if (!members) return;
  for (const auto& [key, value] : object.value("runtimeConfig")->items()) {
    if (key == kPodAnnotations) continue;
    conf.runtime_config.emplace(key, members->get(key).value_or("null"));
  }
}

// A list, or `false` for none at all.
std::optional<std::vector<std::string>> read_unallocated(Object& object) {
  constexpr std::string_view kKey = "allowUnallocatedDevices";
  const auto* value = object.value(kKey);
  if (!value || !value->is_boolean()) return object.strings(kKey);
  if (value->get<bool>()) return std::nullopt;
  return std::vector<std::string>{};
}

}  // namespace

bool is_meta_type(std::string_view type) { return type == kMetaType || type == kMultusType; }

namespace {

Result<void> read_into(MetaConf& conf, const Json& config, std::string_view text) {
  std::vector<Error> errors;
  Object object(config, "", errors);
  auto cluster = read_cluster_network(object, text, conf);
  const auto take = [&](std::string_view key, std::string& value) {
    if (auto asked = object.string(key); asked && !asked->empty()) value = std::move(*asked);
  };
  take("confDir", conf.conf_dir);
  take("binDir", conf.bin_dir);
  take("nadDir", conf.nad_dir);
  take("stateDir", conf.state_dir);
  take("runDir", conf.run_dir);
  take("agentDir", conf.agent_dir);
  take("kubeconfig", conf.kubeconfig);
  take("multusNamespace", conf.multus_namespace);
  take("readinessindicatorfile", conf.readiness_file);
  take("kubeletCheckpoint", conf.checkpoint);
  take("auxiliaryCNIChainName", conf.auxiliary_chain);
  take("guidPool", conf.guid_pool);
  if (!conf.guid_pool.empty() && !GuidRange::parse(conf.guid_pool)) {
    return refuse("LoadNetConf: guidPool {}: expected the first and the last GUID of a range",
                  conf.guid_pool);
  }
  if (conf.auxiliary_chain.find('/') != std::string::npos || conf.auxiliary_chain == "..") {
    return refuse("LoadNetConf: auxiliaryCNIChainName {}: expected the name of a folder",
                  conf.auxiliary_chain);
  }
  if (auto asked = object.strings("defaultNetworks")) conf.default_networks = std::move(*asked);
  if (auto asked = object.strings("systemNamespaces")) conf.system_namespaces = std::move(*asked);
  conf.namespace_isolation = object.boolean("namespaceIsolation").value_or(false);
  if (const auto asked = object.string("globalNamespaces"); asked && !asked->empty()) {
    conf.global_namespaces.clear();
    for (const auto one : split(*asked, ',')) conf.global_namespaces.emplace_back(trim(one));
  }
  conf.status_sync = object.boolean("statusSync").value_or(false);
  conf.strict =
      object.boolean("strict").value_or(object.string("type").value_or("") != kMultusType);
  conf.plugin_allow_list = object.strings("pluginAllowList");
  conf.unallocated_devices = read_unallocated(object);
  read_runtime_config(object, text, conf);
  const auto ownership = read_ownership(config);
  if (!ownership) return pass(ownership);
  conf.is_ownership_off = *ownership == Ownership::off;
  if (!errors.empty()) return refuse("LoadNetConf: {}", errors.front().message);
  auto ipam_dirs = read_ipam_dirs(config);
  object.value("ipamDirs");
  if (!ipam_dirs) return pass(ipam_dirs, "LoadNetConf");
  conf.ipam_dirs = std::move(*ipam_dirs);
  if (!cluster) return cluster;
  if (!conf.auxiliary_chain.empty() && conf.cluster_network.find('/') == std::string::npos) {
    return refuse(
        "LoadNetConf: auxiliaryCNIChainName {}: clusterNetwork must be a path, beside which that "
        "folder is",
        conf.auxiliary_chain);
  }
  if (conf.cluster_network.empty() && !conf.delegate) {
    return refuse("LoadNetConf: at least one delegate/clusterNetwork must be specified");
  }
  for (const auto key : kOtherKeys) object.value(key);
  conf.unknown_keys = told_keys(object);
  return {};
}

}  // namespace

ReadMetaConf read_meta_conf(const Json& config, std::string_view text) {
  ReadMetaConf read;
  read.good = read_into(read.conf, config, text);
  return read;
}

}  // namespace railhead::cni
