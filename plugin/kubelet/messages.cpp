#include "plugin/kubelet/messages.hpp"

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

}  // namespace railhead::kubelet
