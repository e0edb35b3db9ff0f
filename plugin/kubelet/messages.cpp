#include "plugin/kubelet/messages.hpp"

#include <algorithm>

namespace railhead::kubelet {

v1beta1::ListAndWatchResponse message_of(const std::vector<Device>& devices) {
  v1beta1::ListAndWatchResponse message;
  message.mutable_devices()->Reserve(static_cast<int>(devices.size()));
  for (const auto& device : devices) {
    auto& entry = *message.add_devices();
    entry.set_id(device.id);
    entry.set_health(device.healthy ? "Healthy" : "Unhealthy");
    // No topology message at all where no node is known: an empty or negative one makes pods fail
    // under the single-numa-node policy.
    for (int64_t node : device.numa_nodes) entry.mutable_topology()->add_nodes()->set_id(node);
  }
  return message;
}

v1beta1::ContainerAllocateResponse message_of(const ContainerAllocation& allocation) {
  v1beta1::ContainerAllocateResponse message;
  message.mutable_envs()->insert(allocation.envs.begin(), allocation.envs.end());
  message.mutable_annotations()->insert(allocation.annotations.begin(),
                                        allocation.annotations.end());
  for (const auto& node : allocation.devices) {
    auto& entry = *message.add_devices();
    entry.set_host_path(node.host_path);
    entry.set_container_path(node.container_path);
    entry.set_permissions(node.permissions);
  }
  for (const auto& name : allocation.cdi_devices) message.add_cdi_devices()->set_name(name);
  return message;
}

v1beta1::DevicePluginOptions options_of(const PoolService& pool) {
  v1beta1::DevicePluginOptions options;
  options.set_pre_start_required(true);
  options.set_get_preferred_allocation_available(pool.has_preference());
  return options;
}

PreferenceRequest request_of(const v1beta1::ContainerPreferredAllocationRequest& message) {
  const auto& available = message.available_deviceids();
  const auto& must_include = message.must_include_deviceids();
  return {{available.begin(), available.end()},
          {must_include.begin(), must_include.end()},
          static_cast<size_t>(std::max(0, message.allocation_size()))};
}

}  // namespace railhead::kubelet
