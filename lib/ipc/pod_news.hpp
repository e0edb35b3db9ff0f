#pragma once
// What the CNI program has to tell the cluster of a pod: it holds no credential, so it leaves a
// file, which the agent passes on and removes. A file that stands is what is still to be told.
//
//   {"schema":1,"podNamespace":"ml","podName":"trainer-0","podUid":"1f3c",
//    "networkStatus":"[…]","events":[{"reason":"AddedInterface","message":"Add eth0 […]"}],
//    "attached":[{"device":"0000:3b:00.2","interface":"net1","mac":"…","ips":["10.1.2.3/24"]}],
//    "shared":[{"parent":"ens1f0","interface":"net2","mac":"…","ips":["10.1.3.4/24"]}]}
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace railhead::ipc {

struct PodEvent {
  bool is_warning = false;
  std::string reason = {};  // "AddedInterface"
  std::string message = {};
  friend bool operator==(const PodEvent&, const PodEvent&) = default;
};

// A device of the pod, and its interface there.
struct AttachedDevice {
  std::string device = {};
  std::string ifname = {};
  std::string mac = {};               // "": it has none
  std::vector<std::string> ips = {};  // with their prefixes
  std::string resource = {};          // "rdma/vf"; "": kubelet gave it by none, or it is not told
  friend bool operator==(const AttachedDevice&, const AttachedDevice&) = default;
};

// An interface of the pod that stands on a netdev of the node's, which others use, too.
struct SharedInterface {
  std::string parent = {};  // that netdev
  std::string ifname = {};
  std::string mac = {};               // "": it has none
  std::vector<std::string> ips = {};  // with their prefixes
  friend bool operator==(const SharedInterface&, const SharedInterface&) = default;
};

struct PodNews {
  std::string pod_namespace = {};
  std::string pod_name = {};
  std::string pod_uid = {};         // "": the runtime has not said
  std::string network_status = {};  // the annotation k8s.v1.cni.cncf.io/network-status
  std::vector<PodEvent> events = {};
  std::vector<AttachedDevice> attached = {};
  std::vector<SharedInterface> shared = {};
  friend bool operator==(const PodNews&, const PodNews&) = default;
};

// The folder of such files, one for each sandbox. `run`: of this boot's records.
[[nodiscard]] std::string news_folder_in(const std::string& run);

[[nodiscard]] std::string encode(const PodNews& news);
// Errors: decode.
[[nodiscard]] Result<PodNews> decode_pod_news(std::string_view text);

}  // namespace railhead::ipc
