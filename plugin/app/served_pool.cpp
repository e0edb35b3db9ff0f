#include "plugin/app/served_pool.hpp"

#include <chrono>

#include "base/text.hpp"

namespace railhead::app {

ServedPool::ServedPool(pool::Pool pool, pool::Places places, Logger& log)
    : pool_(std::move(pool)), places_(std::move(places)), log_(log) {}

std::string ServedPool::resource_name() const { return pool_.resource.full_name(); }

std::vector<kubelet::Device> ServedPool::devices() const {
  std::vector<kubelet::Device> devices;
  devices.reserve(pool_.members.size());
  for (const auto& member : pool_.members) {
    kubelet::Device device{member.address.to_string(), true, {}};
    if (member.numa_node) device.numa_nodes.push_back(*member.numa_node);
    devices.push_back(std::move(device));
  }
  return devices;
}

Result<kubelet::ContainerAllocation> ServedPool::allocate(
    const std::vector<std::string>& device_ids) {
  const auto start = std::chrono::steady_clock::now();
  auto allocated = pool::allocate(pool_, device_ids, places_);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  if (!allocated) return pass(allocated);
  log_.info("allocated", {{"resource", resource_name()},
                          {"devices", join(device_ids, ",")},
                          {"milliseconds", fmt::format("{:.2f}", took.count())}});
  kubelet::ContainerAllocation answer;
  answer.envs = std::move(allocated->envs);
  for (auto& path : allocated->device_nodes) answer.devices.push_back({path, path, "rw"});
  return answer;
}

}  // namespace railhead::app
