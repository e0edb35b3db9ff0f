#pragma once
// The node's configuration of the meta plugin: Multus' keys, and a few of its own.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.hpp"

namespace railhead::cni {

inline constexpr std::string_view kMetaType = "railhead-meta";
inline constexpr std::string_view kMultusType = "multus";
// What a pod asks by its annotations, as the runtime gives them by this capability.
inline constexpr std::string_view kPodAnnotations = "io.kubernetes.cri.pod-annotations";

[[nodiscard]] bool is_meta_type(std::string_view type);

using Annotations = std::map<std::string, std::string>;

struct MetaConf {
  // The cluster network: its name or path, or its configuration itself.
  std::string cluster_network;
  std::optional<std::string> delegate;  // JSON text, of "delegates"
  // A folder beside its file, whose *.conf are plugins behind its own; "": none.
  std::string auxiliary_chain;

  std::string conf_dir = "/etc/cni/multus/net.d";
  std::string bin_dir = "/opt/cni/bin";  // looked through before CNI_PATH
  std::string nad_dir = "/etc/railhead/nads";
  std::string state_dir;   // "": Roots::state
  std::string run_dir;     // "": Roots::run
  std::string agent_dir;   // Roots::cluster
  std::string kubeconfig;  // Multus' own: never read, an agent may stand beside it
  std::string multus_namespace = "kube-system";
  std::vector<std::string> default_networks;
  std::vector<std::string> system_namespaces = {"kube-system"};
  bool namespace_isolation = false;
  std::vector<std::string> global_namespaces = {"default"};
  std::string readiness_file;  // ADD waits for it
  bool status_sync = false;    // ADD waits until the cluster was told
  bool strict = true;          // "strict"; without it true for `railhead-meta` only
  std::optional<std::vector<std::string>> plugin_allow_list;    // of foreign types; absent: all
  std::optional<std::vector<std::string>> unallocated_devices;  // absent: all that may be
  bool is_ownership_off = false;  // "ownership": "off": there is no kubelet that gives devices
  // "guidPool", the node's range of GUIDs; "": none. No network may name one.
  std::string guid_pool;
  // "ipamDirs": see read_ipam_dirs(). No network may name one.
  std::vector<std::string> ipam_dirs;
  std::string checkpoint = "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint";

  std::map<std::string, std::string> runtime_config;  // by capability, each a JSON text
  std::optional<Annotations> annotations;             // absent: the runtime gave none
  std::vector<std::string> unknown_keys;              // ignored, worth a warning
  friend bool operator==(const MetaConf&, const MetaConf&) = default;
};

// `config` is the whole configuration, `text` the same as it came. Errors (invalid_argument,
// decode) name the key, in Multus' words where it has some; the rest is read all the same, for a
// DEL.
struct ReadMetaConf {
  MetaConf conf;
  Result<void> good;
};
ReadMetaConf read_meta_conf(const nlohmann::ordered_json& config, std::string_view text);

}  // namespace railhead::cni
