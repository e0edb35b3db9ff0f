#include "plugin/kubelet/pod_resources.hpp"

#include <algorithm>
#include <map>

#include <grpc/grpc.h>

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

std::vector<ClaimedDevice> claimed_of(const v1::ContainerResources& from) {
  std::vector<ClaimedDevice> all;
  for (const auto& claim : from.dynamic_resources()) {
    for (const auto& one : claim.claim_resources()) {
      all.push_back({one.driver_name(), one.pool_name(), one.device_name()});
    }
  }
  return all;
}

std::vector<PodDevices> devices_of(const v1::ListPodResourcesResponse& response) {
  std::vector<PodDevices> all;
  for (const auto& pod : response.pod_resources()) {
    for (const auto& container : pod.containers()) {
      auto resources = by_resource(container);
      auto claimed = claimed_of(container);
      if (resources.empty() && claimed.empty()) resources[""];
      for (auto& [resource, ids] : resources) {
        all.push_back({pod.namespace_(), pod.name(), container.name(), resource, std::move(ids)});
      }
      if (!claimed.empty()) {
        all.push_back({pod.namespace_(), pod.name(), container.name(), "", {}, std::move(claimed)});
      }
    }
  }
  return all;
}

}  // namespace

struct PodResources::Call {
  std::unique_ptr<v1::PodResourcesLister::Stub> stub;
  grpc::ClientContext context;
  v1::ListPodResourcesRequest request;
  v1::ListPodResourcesResponse response;
  bool done = false;
};

// gRPC must not find itself without a user on a thread of its own, where its last channel may go.
PodResources::PodResources(std::string socket) : socket_(std::move(socket)) { grpc_init(); }

PodResources::~PodResources() {
  {
    std::unique_lock lock(mutex_);
    for (const auto& call : calls_) call->context.TryCancel();
    done_.wait(lock, [this] {
      return std::ranges::all_of(calls_, [](const auto& call) { return call->done; });
    });
  }
  calls_.clear();
  grpc_shutdown();
}

void PodResources::list(std::chrono::milliseconds limit, Answer answer) {
  const std::lock_guard lock(mutex_);
  std::erase_if(calls_, [](const auto& call) { return call->done; });
  auto& call = *calls_.emplace_back(std::make_unique<Call>());
  call.stub = v1::PodResourcesLister::NewStub(dial(socket_));
  call.context.set_deadline(std::chrono::system_clock::now() + limit);
  call.stub->async()->List(
      &call.context, &call.request, &call.response,
      [this, &call, answer = std::move(answer)](const grpc::Status& status) {
        if (status.ok()) {
          answer(devices_of(call.response));
        } else {
          answer(tl::unexpected(error_of(status).in("kubelet's podresources")));
        }
        const std::lock_guard ended(mutex_);
        call.done = true;
        done_.notify_all();
      });
}

}  // namespace railhead::kubelet
