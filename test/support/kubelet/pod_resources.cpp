#include "test/support/kubelet/pod_resources.hpp"

#include <algorithm>

namespace railhead::test {
namespace {

using Entries = google::protobuf::RepeatedPtrField<v1::ContainerDevices>;

bool same_topology(const v1::ContainerDevices& entry, const FakeDevice& device) {
  const auto& nodes = entry.topology().nodes();
  return std::ranges::equal(nodes, device.numa_nodes, {}, &v1::NUMANode::id);
}

// Sorted ids; devices share an entry only where they have a topology, and the same.
void add_devices(Entries& entries, const std::string& resource, std::vector<FakeDevice> devices) {
  std::ranges::sort(devices, {}, &FakeDevice::id);
  const int first = entries.size();
  for (const auto& device : devices) {
    auto place = entries.begin() + first;
    if (device.has_topology) {
      place = std::find_if(place, entries.end(), [&](auto& e) { return same_topology(e, device); });
    } else {
      place = entries.end();
    }
    if (place != entries.end()) {
      place->add_device_ids(device.id);
      continue;
    }
    auto& entry = *entries.Add();
    entry.set_resource_name(resource);
    entry.add_device_ids(device.id);
    if (!device.has_topology) continue;
    entry.mutable_topology();
    for (int64_t node : device.numa_nodes) entry.mutable_topology()->add_nodes()->set_id(node);
  }
}

template <class List, class Is>
auto& find_or_add(List& list, Is is) {
  const auto found = std::find_if(list.begin(), list.end(), is);
  return found != list.end() ? *found : *list.Add();
}

v1::ListPodResourcesResponse list_of(const FakeKubeletState& state) {
  v1::ListPodResourcesResponse list;
  for (const auto& allocation : state.allocations) {
    auto& pod = find_or_add(*list.mutable_pod_resources(), [&](const auto& entry) {
      return entry.name() == allocation.pod && entry.namespace_() == allocation.pod_namespace;
    });
    pod.set_name(allocation.pod);
    pod.set_namespace_(allocation.pod_namespace);
    auto& container = find_or_add(*pod.mutable_containers(), [&](const auto& entry) {
      return entry.name() == allocation.container;
    });
    container.set_name(allocation.container);
    add_devices(*container.mutable_devices(), allocation.resource, allocation.devices);
  }
  for (const auto& claim : state.claims) {
    auto& pod = find_or_add(*list.mutable_pod_resources(), [&](const auto& entry) {
      return entry.name() == claim.pod && entry.namespace_() == claim.pod_namespace;
    });
    pod.set_name(claim.pod);
    pod.set_namespace_(claim.pod_namespace);
    auto& container = find_or_add(*pod.mutable_containers(), [&](const auto& entry) {
      return entry.name() == claim.container;
    });
    container.set_name(claim.container);
    auto& resource = *container.add_dynamic_resources();
    resource.set_claim_name(claim.pod + "-claim");
    resource.set_claim_namespace(claim.pod_namespace);
    auto& one = *resource.add_claim_resources();
    one.set_driver_name(claim.driver);
    one.set_pool_name(claim.pool);
    one.set_device_name(claim.device);
  }
  return list;
}

}  // namespace

grpc::Status PodResourcesService::List(grpc::ServerContext*, const v1::ListPodResourcesRequest*,
                                       v1::ListPodResourcesResponse* response) {
  *response = list_of(devices_.state());
  return grpc::Status::OK;
}

grpc::Status PodResourcesService::Get(grpc::ServerContext*,
                                      const v1::GetPodResourcesRequest* request,
                                      v1::GetPodResourcesResponse* response) {
  if (version_ == KubeletVersion::v1_20) return {grpc::StatusCode::UNIMPLEMENTED, "unknown method"};
  const auto list = list_of(devices_.state());
  for (const auto& pod : list.pod_resources()) {
    if (pod.name() != request->pod_name() || pod.namespace_() != request->pod_namespace()) continue;
    *response->mutable_pod_resources() = pod;
    return grpc::Status::OK;
  }
  return {grpc::StatusCode::UNKNOWN, fmt::format("pod {} in namespace {} not found",
                                                 request->pod_name(), request->pod_namespace())};
}

grpc::Status PodResourcesService::GetAllocatableResources(
    grpc::ServerContext*, const v1::AllocatableResourcesRequest*,
    v1::AllocatableResourcesResponse* response) {
  if (version_ == KubeletVersion::v1_20) return {grpc::StatusCode::UNIMPLEMENTED, "unknown method"};
  const auto state = devices_.state();
  for (const auto& [name, resource] : state.resources) {
    std::vector<FakeDevice> healthy;
    for (const auto& [id, device] : resource.devices) {
      if (device.healthy) healthy.push_back(device);
    }
    add_devices(*response->mutable_devices(), name, std::move(healthy));
  }
  return grpc::Status::OK;
}

}  // namespace railhead::test
