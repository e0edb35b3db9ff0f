#pragma once
// Which container has which devices, as kubelet tells (podresources v1).
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace railhead::kubelet {

// One resource of one container.
struct PodDevices {
  std::string pod_namespace;
  std::string pod;
  std::string container;
  std::string resource;          // "nvidia.com/gpu"
  std::vector<std::string> ids;  // sorted
  friend bool operator==(const PodDevices&, const PodDevices&) = default;
};

// Asks kubelet's socket ("/var/lib/kubelet/pod-resources/kubelet.sock") and returns at once; `answer`
// is called once, on a thread of gRPC. May be asked while kubelet waits for GetPreferredAllocation (it
// holds no lock then), not within Allocate. Errors: unavailable, timeout, or what kubelet says.
void list_pod_devices(const std::string& socket, std::chrono::milliseconds limit,
                      std::function<void(Result<std::vector<PodDevices>>)> answer);

}  // namespace railhead::kubelet
