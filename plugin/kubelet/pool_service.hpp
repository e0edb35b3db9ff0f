#pragma once
// What a pool offers to kubelet, free of gRPC types: plugin/app implements it, plugin/kubelet
// serves it.
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace railhead::kubelet {

struct Device {
  std::string id;  // at most 63 characters: a PCI address
  bool healthy = true;
  std::vector<int64_t> numa_nodes;  // empty: no topology hint
  friend bool operator==(const Device&, const Device&) = default;
};

struct DeviceNode {
  std::string host_path;
  std::string container_path;
  std::string permissions = "rw";
  friend bool operator==(const DeviceNode&, const DeviceNode&) = default;
};

struct ContainerAllocation {
  std::map<std::string, std::string> envs;
  std::vector<DeviceNode> devices;
  std::map<std::string, std::string> annotations;
  std::vector<std::string> cdi_devices;  // "vendor/class=name"
  friend bool operator==(const ContainerAllocation&, const ContainerAllocation&) = default;
};

// What kubelet asks before it chooses devices for one container.
struct PreferenceRequest {
  std::vector<std::string> available;
  std::vector<std::string> must_include;  // some of `available`
  size_t size = 0;                        // how many to choose, the must_include among them
  friend bool operator==(const PreferenceRequest&, const PreferenceRequest&) = default;
};

// Called from gRPC's threads, several at a time.
class PoolService {
 public:
  virtual ~PoolService() = default;
  [[nodiscard]] virtual std::string resource_name() const = 0;  // "rdma/vf"
  [[nodiscard]] virtual std::vector<Device> devices() const = 0;
  // One container. The error's message is shown to the user on the failed pod as it is.
  [[nodiscard]] virtual Result<ContainerAllocation> allocate(
      const std::vector<std::string>& device_ids) = 0;

  // Before each start of a container, also the first, that was given all of these devices and no
  // others: kubelet starts it again without another Allocate, over a reboot too. It is not told
  // which container it is. After an error kubelet does not start the container, tries again for
  // ever, and shows the message on the pod.
  [[nodiscard]] virtual Result<void> pre_start(const std::vector<std::string>& device_ids) = 0;

  // Whether it knows better than at random which devices a container should get; always the same
  // answer. Kubelet asks for preferences only then.
  [[nodiscard]] virtual bool has_preference() const { return false; }
  // `size` of the available devices; where there are fewer, kubelet chooses the rest itself. An
  // error makes it fail the pod.
  [[nodiscard]] virtual Result<std::vector<std::string>> preferred(const PreferenceRequest&) {
    return fail(ErrorCode::unsupported, "{} has no preference", resource_name());
  }

  // Told to the pool, on threads of the session or of gRPC that must not be held up: kubelet
  // watches it, or no longer; kubelet is being sent the devices, which took so long to say.
  virtual void watched(bool /*by_kubelet*/) {}
  virtual void devices_sent(std::chrono::nanoseconds /*took*/) {}
};

}  // namespace railhead::kubelet
