#pragma once
// Which container has which devices, as kubelet tells (podresources v1).
#include <chrono>
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

// Asks kubelet's socket ("/var/lib/kubelet/pod-resources/kubelet.sock"). May be called while
// kubelet waits for GetPreferredAllocation (it holds no lock then), not within Allocate. Errors:
// unavailable, timeout, or what kubelet says.
[[nodiscard]] Result<std::vector<PodDevices>> list_pod_devices(const std::string& socket,
                                                               std::chrono::milliseconds limit);

}  // namespace railhead::kubelet
