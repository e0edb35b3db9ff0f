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

std::vector<GivenDevice> DeviceQueue::left(
    const std::function<bool(std::string_view resource)>& is_meant,
    std::string_view container) const {
  std::vector<GivenDevice> all;
  std::vector<std::string_view> containers;
  for (const auto& one : devices_) {
    const auto at = std::ranges::find(containers, one.container);
    const auto place = static_cast<size_t>(at - containers.begin());
    if (at == containers.end()) containers.push_back(one.container);
    if (!is_meant(one.resource) || (!container.empty() && one.container != container)) continue;
    for (const auto& device : one.devices) {
      const bool is_new = std::ranges::find(all, device, &GivenDevice::device) == all.end();
      if (is_new && !taken_.contains(device)) all.push_back({place, one.resource, device});
    }
  }
  return all;
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
