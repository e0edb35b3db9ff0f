#pragma once
#include <string>

namespace railhead::app {

// How the cluster's API server is followed.
struct ClusterOptions {
  bool is_followed = false;
  bool tells_claims = false;   // what a pod's interfaces are
  bool has_condition = false;  // of the Node, is written
  bool is_alone = false;       // nothing else is done: no kubelet, no devices
  std::string kubeconfig;      // "": as the pod's service account
  std::string node;            // this node's name; "": as the token says, else the host's name
  std::string service_host;    // of the API server, as a pod is told
  std::string service_port;
};

}  // namespace railhead::app
