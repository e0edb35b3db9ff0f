#pragma once
#include <string>

namespace railhead::app {

// How the cluster's API server is followed.
struct ClusterOptions {
  bool is_followed = false;
  std::string kubeconfig;    // "": as the pod's service account
  std::string node;          // this node's name
  std::string service_host;  // of the API server, as a pod is told
  std::string service_port;
};

}  // namespace railhead::app
