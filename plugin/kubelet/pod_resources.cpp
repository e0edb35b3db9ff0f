#include "plugin/kubelet/pod_resources.hpp"

#include <algorithm>
#include <map>

#include "plugin/kubelet/channel.hpp"
#include "plugin/kubelet/status.hpp"
#include "proto/podresources.grpc.pb.h"

namespace railhead::kubelet {
namespace {

// Kubelet makes an entry of its own for each NUMA node, and for each device without one.
std::map<std::string, std::vector<std::string>> by_resource(const v1::ContainerResources& from) {
  std::map<std::string, std::vector<std::string>> merged;
  for (const auto& entry : from.devices()) {
    auto& ids = merged[entry.resource_name()];
    ids.insert(ids.end(), entry.device_ids().begin(), entry.device_ids().end());
  }
  for (auto& [resource, ids] : merged) {
    std::ranges::sort(ids);
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  }
  return merged;
}

}  // namespace

Result<std::vector<PodDevices>> list_pod_devices(const std::string& socket,
                                                 std::chrono::milliseconds limit) {
  const auto stub = v1::PodResourcesLister::NewStub(dial(socket));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + limit);
  v1::ListPodResourcesResponse response;
  if (const auto status = stub->List(&context, {}, &response); !status.ok()) {
    return tl::unexpected(error_of(status).in("kubelet's podresources"));
  }
  std::vector<PodDevices> all;
  for (const auto& pod : response.pod_resources()) {
    for (const auto& container : pod.containers()) {
      for (auto& [resource, ids] : by_resource(container)) {
        all.push_back({pod.namespace_(), pod.name(), container.name(), resource, std::move(ids)});
      }
    }
  }
  return all;
}

}  // namespace railhead::kubelet
