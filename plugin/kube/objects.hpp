#pragma once
// What is kept of the API server's objects.
#include <compare>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.hpp"

namespace railhead::kube {

struct Name {
  std::string namespace_ = {};
  std::string name = {};
  [[nodiscard]] std::string text() const { return namespace_ + "/" + name; }
  friend auto operator<=>(const Name&, const Name&) = default;
};

struct Pod {
  Name name = {};
  std::string uid = {};
  // What stands in the API for a pod of a file of the node (a static pod) has an UID of its own;
  // this is that pod's, as the container runtime knows it. "": of others.
  std::string mirror_of = {};
  // Those that a pod's networks are read from.
  std::map<std::string, std::string> annotations = {};
  std::vector<std::string> claims = {};  // the names of its ResourceClaims
  // Whether it is the pod that the container runtime calls so.
  [[nodiscard]] bool is(std::string_view runtime_uid) const {
    return runtime_uid == uid || (!mirror_of.empty() && runtime_uid == mirror_of);
  }
  friend bool operator==(const Pod&, const Pod&) = default;
};

struct Nad {
  Name name = {};
  std::string resource = {};  // its annotation k8s.v1.cni.cncf.io/resourceName
  std::string config = {};    // spec.config, byte for byte
  friend bool operator==(const Nad&, const Nad&) = default;
};

// A device that a driver of dynamic resource allocation offers for networks, by the attributes that
// Multus reads (k8s.cni.cncf.io/resourceName, k8s.cni.cncf.io/deviceID).
struct ClaimedDevice {
  std::string driver = {};
  std::string pool = {};
  std::string name = {};      // the driver's
  std::string resource = {};  // "rdma/vf"
  std::string device = {};    // "0000:3b:00.2"
  friend bool operator==(const ClaimedDevice&, const ClaimedDevice&) = default;
};
struct Slice {
  Name name = {};  // of no namespace
  std::vector<ClaimedDevice> devices = {};
  friend bool operator==(const Slice&, const Slice&) = default;
};

// Of a Node.
struct Condition {
  std::string type = {};  // "RailheadReady"
  bool is_true = false;
  std::string reason = {};  // one word, "PoolsDegraded"
  std::string message = {};
  friend bool operator==(const Condition&, const Condition&) = default;
};

// What each takes in memory, about.
[[nodiscard]] size_t bytes_of(const Pod& pod);
[[nodiscard]] size_t bytes_of(const Nad& nad);
[[nodiscard]] size_t bytes_of(const Slice& slice);

// Errors: decode (the object has no name, or a wrong type somewhere that counts). A name without a
// namespace is that of an object of the whole cluster.
[[nodiscard]] Result<Name> read_name(const nlohmann::ordered_json& object);
[[nodiscard]] Result<Pod> read_pod(const nlohmann::ordered_json& object);
[[nodiscard]] Result<Nad> read_nad(const nlohmann::ordered_json& object);
// Devices that are for no network are left out.
[[nodiscard]] Result<Slice> read_slice(const nlohmann::ordered_json& object);
// What a server sent: in time and stack that its length bounds, whatever it is. What is no JSON
// comes as a discarded value.
[[nodiscard]] nlohmann::ordered_json parsed(std::string_view text);
// "" where there is none.
[[nodiscard]] std::string resource_version(const nlohmann::ordered_json& object);

// What an answer of a status that is no success says of why: the message of its Status object, else
// its status alone. "403: pods is forbidden: …"
[[nodiscard]] std::string refusal_of(int status, std::string_view body);

// As a part of a path or a query: nothing leads out of its place.
[[nodiscard]] std::string escaped(std::string_view text);
// Where the objects of a kind are, escaped.
[[nodiscard]] std::string path_of_pod(const Name& name);
[[nodiscard]] std::string path_of_nad(const Name& name);
[[nodiscard]] std::string path_of_claim(const Name& name);
[[nodiscard]] std::string path_of_node(const std::string& name);
[[nodiscard]] std::string path_of_events(const std::string& namespace_);
inline constexpr std::string_view kPods = "/api/v1/pods";
inline constexpr std::string_view kNads = "/apis/k8s.cni.cncf.io/v1/network-attachment-definitions";

inline constexpr std::string_view kSlices = "/apis/resource.k8s.io/v1/resourceslices";

}  // namespace railhead::kube
