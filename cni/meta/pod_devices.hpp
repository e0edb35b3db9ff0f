#pragma once
// The devices that kubelet gave to a pod, and which of its networks gets which.
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/container_devices.hpp"

namespace railhead::cni {

// In the order of the pod's containers; the devices of each in PCI order.
using PodDevices = std::vector<ContainerDevices>;

struct GivenDevice {
  size_t container = 0;  // its place among the pod's
  std::string resource;
  std::string device;
  friend bool operator==(const GivenDevice&, const GivenDevice&) = default;
};

// Hands a pod's devices out, each of them once.
class DeviceQueue {
 public:
  explicit DeviceQueue(PodDevices devices) : devices_(std::move(devices)) {}

  // The next of a resource: container after container, or of the one that is named. "": there is
  // none left.
  [[nodiscard]] std::string take(std::string_view resource, std::string_view container = "");
  // Those that nobody has taken, of the resources that are meant: container after container, or of
  // the one that is named. What an init container had before is the first one's.
  [[nodiscard]] std::vector<GivenDevice> left(
      const std::function<bool(std::string_view resource)>& is_meant,
      std::string_view container = "") const;
  void take(const GivenDevice& device) { taken_.insert(device.device); }
  [[nodiscard]] size_t count(std::string_view resource) const;
  [[nodiscard]] bool has(std::string_view device) const;

 private:
  PodDevices devices_;
  std::set<std::string> taken_;
};

}  // namespace railhead::cni
