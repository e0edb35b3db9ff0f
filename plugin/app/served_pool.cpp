#include "plugin/app/served_pool.hpp"

#include <chrono>

#include "base/text.hpp"

namespace railhead::app {

ServedPool::ServedPool(pool::Pool pool, pool::Places places, Logger& log)
    : pool_(std::move(pool)), places_(std::move(places)), log_(log) {}

std::string ServedPool::resource_name() const { return pool_.resource.full_name(); }

std::vector<kubelet::Device> ServedPool::devices() const {
  std::vector<kubelet::Device> devices;
  for (auto& offer : pool::offers(pool_)) {
    kubelet::Device device{std::move(offer.id), offer.healthy, {}};
    if (offer.numa_node) device.numa_nodes.push_back(*offer.numa_node);
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
  for (auto& node : allocated->device_nodes) {
    answer.devices.push_back({std::move(node.host_path), std::move(node.container_path), "rw"});
  }
  return answer;
}

}  // namespace railhead::app
