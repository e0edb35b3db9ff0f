#pragma once
// The verbs "nad" and "pod": what the cluster's API server has of a network and of a pod. Values,
// and their JSON texts.
//
//   {"schema":1,"verb":"nad","namespace":"ml","name":"rail0","podNamespace":"ml",
//    "podName":"trainer-0","podUid":"1f3c"}
//   {"schema":1,"state":"known","resource":"rdma/vf","config":"{\"type\":\"sriov\"}"}
//   {"schema":1,"verb":"pod","podNamespace":"ml","podName":"trainer-0","podUid":"1f3c"}
//   {"schema":1,"state":"known","annotations":{"k8s.v1.cni.cncf.io/networks":"rail0"}}
//   {"schema":1,"state":"unknown","reason":"the API server has not answered yet"}
//
// An agent from before these verbs, or without an API server, answers with an error, which comes
// out as unavailable.
#include <map>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace railhead::ipc {

constexpr std::string_view kNad = "nad";
constexpr std::string_view kPod = "pod";

// missing: the API server says that there is none. unknown: nobody can tell (yet).
enum class ClusterState { known, missing, unknown };
[[nodiscard]] std::string_view to_string(ClusterState state);

// For whom it is asked: who looks after the pod can be told of what is missing. "": not said.
struct PodQuestion {
  std::string pod_namespace = {};
  std::string pod_name = {};
  std::string pod_uid = {};
  friend bool operator==(const PodQuestion&, const PodQuestion&) = default;
};

struct NadQuestion {
  std::string namespace_ = {};
  std::string name = {};
  PodQuestion pod = {};
  friend bool operator==(const NadQuestion&, const NadQuestion&) = default;
};

struct NadAnswer {
  ClusterState state = ClusterState::unknown;
  std::string resource = {};  // its annotation k8s.v1.cni.cncf.io/resourceName
  std::string config = {};    // spec.config, byte for byte
  std::string reason = {};    // while it is unknown
  friend bool operator==(const NadAnswer&, const NadAnswer&) = default;
};

// The annotations that a pod's networks are read from; others are not told. A pod of another UID
// than the one that was asked for is missing.
struct PodAnswer {
  ClusterState state = ClusterState::unknown;
  std::map<std::string, std::string> annotations = {};
  std::string reason = {};
  friend bool operator==(const PodAnswer&, const PodAnswer&) = default;
};

[[nodiscard]] std::string encode(const NadQuestion& question);
[[nodiscard]] std::string encode(const NadAnswer& answer);
[[nodiscard]] std::string encode(const PodQuestion& question);
[[nodiscard]] std::string encode(const PodAnswer& answer);

// Errors: decode, unavailable (the text is an encoded error).
[[nodiscard]] Result<NadAnswer> decode_nad_answer(std::string_view text);
[[nodiscard]] Result<PodAnswer> decode_pod_answer(std::string_view text);

}  // namespace railhead::ipc
