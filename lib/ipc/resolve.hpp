#pragma once
// The verb "resolve": which devices a pod's containers have. Values, and their JSON texts.
//
//   {"schema":1,"verb":"resolve","podNamespace":"ml","podName":"trainer-0","podUid":"1f3c"}
//   {"schema":1,"state":"known","containers":[
//     {"container":"main","resource":"rdma/vf","devices":["0000:3b:00.2","0000:3b:00.3"]}],
//    "source":"podresources",
//    "far":[{"container":"main","device":"0000:b1:00.2","text":"GPU … and … are SYS apart …"}]}
//   {"schema":1,"state":"unknown"}
//
// An agent from before this verb answers with an error, which comes out as unavailable.
#include <string>
#include <string_view>
#include <vector>

#include "base/container_devices.hpp"
#include "base/error.hpp"

namespace railhead::ipc {

constexpr std::string_view kResolve = "resolve";

// The name with its namespace, the UID or both; "": not said. By its name alone a pod cannot be
// told from one of the same name that has not quite ended (StatefulSets).
struct ResolveQuestion {
  std::string pod_namespace = {};
  std::string pod_name = {};
  std::string pod_uid = {};

  [[nodiscard]] bool is_named() const { return !pod_namespace.empty() && !pod_name.empty(); }
  friend bool operator==(const ResolveQuestion&, const ResolveQuestion&) = default;
};

// unknown: nobody can tell (yet); it never means that the pod has none.
enum class ResolveState { known, unknown };
[[nodiscard]] std::string_view to_string(ResolveState state);

// A device that serves a GPU of its container, where another port of the node's would be nearer.
struct FarPair {
  std::string container;
  std::string device;
  std::string text;  // both with their PCIe paths, and how far they are and could be apart
  friend bool operator==(const FarPair&, const FarPair&) = default;
};

struct ResolveAnswer {
  ResolveState state = ResolveState::unknown;
  // While it is known: all that kubelet gave to the pod, of whichever device plugin; empty:
  // nothing. The containers stand in the pod's order as kubelet lists them, the resources of each
  // by name, the devices of each in PCI order. A device may be that of several containers.
  std::vector<ContainerDevices> containers = {};
  // "podresources": kubelet lists it. "checkpoint": kubelet's file has it by the pod's UID, and
  // what kubelet lists under the pod's name is not that; the containers stand by name then. ""
  // while unknown.
  std::string source = {};
  std::vector<FarPair> far = {};  // empty also where GPUs are not known
  friend bool operator==(const ResolveAnswer&, const ResolveAnswer&) = default;
};

[[nodiscard]] std::string encode(const ResolveQuestion& question);
[[nodiscard]] std::string encode(const ResolveAnswer& answer);

// Errors: decode (what is known without containers too: that is not "none"), unavailable (the text
// is an encoded error).
[[nodiscard]] Result<ResolveAnswer> decode_resolve_answer(std::string_view text);

}  // namespace railhead::ipc
