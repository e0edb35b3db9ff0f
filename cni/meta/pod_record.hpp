#pragma once
// What a pod was given, kept on disk from before its first plugin runs until its last DEL came to
// its end.
//
//   <state root>/pods/<container>.json   what DEL needs, in full: written once, and outlives a boot
//   <run root>/pods/<container>.json     how far it came, and the results: of this boot
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "host/netns.hpp"

namespace railhead::cni {

// A plugin of a network's chain, with what it gets on standard input but for prevResult.
struct PodPlugin {
  std::string type;
  bool is_own = false;  // this program itself serves the type
  std::string input;
  friend bool operator==(const PodPlugin&, const PodPlugin&) = default;
};

struct PodNetwork {
  std::string nad;   // "namespace/name"; of the cluster network ""
  std::string name;  // the configuration's
  std::string cni_version;
  std::string ifname;
  std::string args;        // CNI_ARGS
  std::string place = {};  // for messages: "networks[1] (ml/rail1)", "cluster network"
  bool disable_check = false;
  bool disable_gc = false;
  std::optional<std::vector<std::string>> gateways = {};  // default-route, as asked for
  std::string device = {};                                // "0000:3b:00.2", of a resource's network
  std::string resource = {};
  std::vector<PodPlugin> plugins;
  friend bool operator==(const PodNetwork&, const PodNetwork&) = default;
};

struct PodRecord {
  std::string container_id;
  std::string pod_namespace;
  std::string pod_name;
  std::string pod_uid;
  std::string boot_id;
  std::string netns_path;
  host::NetnsId netns;
  std::string plugin_path;           // CNI_PATH of its plugins
  std::string network;               // the name in the node's configuration, by which GC knows it
  std::vector<PodNetwork> networks;  // the cluster network first
  friend bool operator==(const PodRecord&, const PodRecord&) = default;

  [[nodiscard]] std::string pod() const;  // "namespace/name", "" where it is not known
};

// One call of a plugin, by its place in the record.
struct Act {
  size_t network = 0;
  size_t plugin = 0;
  friend auto operator<=>(const Act&, const Act&) = default;
};

// The order in which a pod is given its networks, and the reverse of which takes them: the cluster
// network; the own interfaces that stand first in their chains, in one transaction; then all other
// plugins, network by network.
[[nodiscard]] std::vector<Act> acts_of(const PodRecord& record);
// Whether the act is one of that transaction.
[[nodiscard]] bool is_in_transaction(const PodRecord& record, const Act& act);

// How far a pod came.
struct PodProgress {
  bool is_attached = false;          // its ADD came to its end
  std::vector<std::string> results;  // the last of each network, JSON; "" where there is none
  std::string network_status;        // JSON; "" before the end of ADD
  std::vector<Act> deleted;          // whose DEL succeeded
  std::string reason;                // why the last DEL did not come to its end
  // When the first did not: time since boot (Clock::now()).
  std::optional<std::chrono::milliseconds> first_failed;
  friend bool operator==(const PodProgress&, const PodProgress&) = default;
};

std::string to_json(const PodRecord& record);
std::string to_json(const PodProgress& progress);
// decode: not what to_json() writes, or cut, or of a schema that is not known here.
Result<PodRecord> pod_record_from_json(std::string_view text);
Result<PodProgress> pod_progress_from_json(std::string_view text);

}  // namespace railhead::cni
