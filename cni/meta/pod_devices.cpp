#include "cni/meta/pod_devices.hpp"

#include <algorithm>

namespace railhead::cni {

std::string DeviceQueue::take(std::string_view resource, std::string_view container) {
  for (const auto& one : devices_) {
    if (one.resource != resource || (!container.empty() && one.container != container)) continue;
    for (const auto& device : one.devices) {
      if (taken_.insert(device).second) return device;
    }
  }
  return "";
}

size_t DeviceQueue::count(std::string_view resource) const {
  std::set<std::string> all;
  for (const auto& one : devices_) {
    if (one.resource == resource) all.insert(one.devices.begin(), one.devices.end());
  }
  return all.size();
}

bool DeviceQueue::has(std::string_view device) const {
  return std::ranges::any_of(devices_, [&](const ContainerDevices& one) {
    return std::ranges::find(one.devices, device) != one.devices.end();
  });
}

}  // namespace railhead::cni
