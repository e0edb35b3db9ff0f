#include "test/support/kubelet/device_manager.hpp"

#include <algorithm>
#include <fstream>
#include <set>
#include <thread>

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "proto/deviceplugin.grpc.pb.h"
#include "test/support/kubelet/checkpoint.hpp"
#include "test/support/kubelet/plugin_channel.hpp"

namespace railhead::test {

struct DeviceManager::Endpoint {
  std::string resource;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1beta1::DevicePlugin::Stub> stub;
  grpc::ClientContext watch_context;
  bool has_preference = false;
  bool wishes_pre_start = false;
  bool dropped = false;  // kubelet ended the watch itself
  std::thread watcher;
};

namespace {

// "ns/name", or "name" in the namespace "default".
std::pair<std::string, std::string> split_pod(const std::string& pod) {
  const auto slash = pod.find('/');
  if (slash == std::string::npos) return {"default", pod};
  return {pod.substr(0, slash), pod.substr(slash + 1)};
}

bool is_dns_name(const std::string& text) {
  const auto ok = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), ok) && text.front() != '-' &&
         text.front() != '.' && text.back() != '-' && text.back() != '.';
}

bool is_qualified_part(const std::string& text) {
  const auto alnum = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  const auto ok = [&](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; };
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), ok) &&
         alnum(text.front()) && alnum(text.back());
}

FakeDevice value_of(const v1beta1::Device& device) {
  FakeDevice value{device.id(), device.health() == "Healthy", device.has_topology(), {}};
  for (const auto& node : device.topology().nodes()) value.numa_nodes.push_back(node.id());
  return value;
}

}  // namespace

size_t FakeResource::healthy() const {
  return static_cast<size_t>(std::count_if(devices.begin(), devices.end(),
                                           [](const auto& entry) { return entry.second.healthy; }));
}

DeviceManager::DeviceManager(Options options)
    : options_(std::move(options)), random_(options_.seed) {}

DeviceManager::~DeviceManager() { disconnect_all(); }

std::string DeviceManager::why_refused(const std::string& resource) {
  const auto slash = resource.find('/');
  const bool extended = slash != std::string::npos && is_dns_name(resource.substr(0, slash)) &&
                        is_qualified_part(resource.substr(slash + 1)) &&
                        resource.substr(0, slash).find("kubernetes.io") == std::string::npos &&
                        !resource.starts_with("requests.");
  return extended ? "" : fmt::format("the ResourceName \"{}\" is invalid", resource);
}

Result<void> DeviceManager::connect(const std::string& resource, const std::string& socket,
                                    const std::optional<v1beta1::DevicePluginOptions>& told) {
  auto endpoint = std::make_shared<Endpoint>();
  endpoint->resource = resource;
  endpoint->channel = plugin_channel(socket, options_.version);
  if (!endpoint->channel->WaitForConnected(std::chrono::system_clock::now() +
                                           options_.dial_limit)) {
    return fail(ErrorCode::timeout, "failed to dial device plugin: context deadline exceeded");
  }
  endpoint->stub = v1beta1::DevicePlugin::NewStub(endpoint->channel);
  v1beta1::DevicePluginOptions answer = told.value_or(v1beta1::DevicePluginOptions());
  if (!told) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    if (auto status = endpoint->stub->GetDevicePluginOptions(&context, {}, &answer); !status.ok()) {
      return fail(ErrorCode::io, "failed to get device plugin options: {}", go_text(status));
    }
  }
  endpoint->has_preference = answer.get_preferred_allocation_available();
  endpoint->wishes_pre_start = answer.pre_start_required();
  const std::lock_guard lock(mutex_);
  connected_[resource] = endpoint;
  stopped_.erase(resource);
  dropped_.erase(resource);
  endpoints_.push_back(endpoint);
  ++state_.resources[resource].registrations;
  state_.resources[resource].told_unhealthy.clear();
  endpoint->watcher = std::thread([this, endpoint] { watch(endpoint); });
  changed_.notify_all();
  return {};
}

void DeviceManager::watch(const std::shared_ptr<Endpoint>& endpoint) {
  auto reader = endpoint->stub->ListAndWatch(&endpoint->watch_context, {});
  v1beta1::ListAndWatchResponse list;
  while (reader->Read(&list)) {
    const std::lock_guard lock(mutex_);
    if (endpoint->dropped) continue;
    auto& resource = state_.resources[endpoint->resource];
    resource.devices.clear();
    for (const auto& device : list.devices()) {
      const auto& told = resource.devices[device.id()] = value_of(device);
      if (!told.healthy) resource.told_unhealthy.insert(told.id);
    }
    ++resource.lists;
    write_checkpoint();
    changed_.notify_all();
  }
  reader->Finish();
  const bool gone = [&] {
    const std::lock_guard lock(mutex_);
    return !endpoint->dropped;
  }();
  if (gone) disconnect(endpoint->resource);
}

void DeviceManager::disconnect(const std::string& resource) {
  const std::lock_guard lock(mutex_);
  mark_unhealthy(resource);
  auto found = connected_.find(resource);
  if (found == connected_.end()) return;
  found->second->dropped = true;
  found->second->watch_context.TryCancel();
  stopped_[resource] = found->second;
  connected_.erase(found);
}

void DeviceManager::disconnect_all() {
  std::vector<std::shared_ptr<Endpoint>> endpoints;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& endpoint : endpoints_) {
      endpoint->dropped = true;
      endpoint->watch_context.TryCancel();
      mark_unhealthy(endpoint->resource);
    }
    connected_.clear();
    stopped_.clear();
    dropped_.clear();
    endpoints.swap(endpoints_);
  }
  for (const auto& endpoint : endpoints) endpoint->watcher.join();
}

void DeviceManager::five_minutes_pass() {
  const std::lock_guard lock(mutex_);
  for (const auto& [resource, endpoint] : stopped_) {
    dropped_.insert(resource);
    state_.resources[resource].devices.clear();
  }
  stopped_.clear();
  changed_.notify_all();
}

void DeviceManager::mark_unhealthy(const std::string& resource) {
  for (auto& [id, device] : state_.resources[resource].devices) device.healthy = false;
  changed_.notify_all();
}

// The lock is not held while the plugin is asked, as kubelet does it.
Result<std::vector<std::string>> DeviceManager::choose(const std::string& resource, size_t count) {
  Result<std::vector<std::string>> free;
  std::shared_ptr<Endpoint> endpoint;
  {
    const std::lock_guard lock(mutex_);
    free = free_devices(resource, count);
    if (!free) return free;
    if (const auto found = connected_.find(resource); found != connected_.end()) {
      endpoint = found->second;
    }
  }
  std::vector<std::string> chosen;
  if (endpoint && endpoint->has_preference && free->size() > count) {
    v1beta1::PreferredAllocationRequest request;
    auto& container = *request.add_container_requests();
    for (const auto& id : *free) container.add_available_deviceids(id);
    container.set_allocation_size(static_cast<int>(count));
    grpc::ClientContext context;
    v1beta1::PreferredAllocationResponse response;
    const auto status = endpoint->stub->GetPreferredAllocation(&context, request, &response);
    if (!status.ok()) return fail(ErrorCode::io, "{}", go_text(status));
    for (const auto& id : response.container_responses(0).deviceids()) {
      if (chosen.size() < count && std::erase(*free, id) > 0) chosen.push_back(id);
    }
  }
  for (const auto& id : *free) {
    if (chosen.size() < count) chosen.push_back(id);
  }
  return chosen;
}

Result<const FakeResource*> DeviceManager::with_healthy_devices(const std::string& resource) const {
  const auto known = state_.resources.find(resource);
  if (known == state_.resources.end()) {
    return fail(ErrorCode::not_found, "cannot allocate unregistered device {}", resource);
  }
  if (known->second.healthy() == 0) {
    return fail(ErrorCode::unavailable,
                "no healthy devices present; cannot allocate unhealthy devices {}", resource);
  }
  return &known->second;
}

// In random order; at least so many.
Result<std::vector<std::string>> DeviceManager::free_devices(const std::string& resource,
                                                             size_t count) {
  const auto known = with_healthy_devices(resource);
  if (!known) return pass(known);
  std::set<std::string> taken;
  for (const auto& allocation : state_.allocations) {
    if (allocation.resource != resource) continue;
    for (const auto& device : allocation.devices) taken.insert(device.id);
  }
  std::vector<std::string> free;
  for (const auto& [id, device] : (*known)->devices) {
    if (device.healthy && !taken.contains(id)) free.push_back(id);
  }
  if (free.size() < count) {
    return fail(ErrorCode::busy,
                "requested number of devices unavailable for {}. Requested: {}, Available: {}",
                resource, count, free.size());
  }
  std::shuffle(free.begin(), free.end(), random_);
  return free;
}

Result<FakeAllocation> DeviceManager::allocate(const std::string& pod, const std::string& container,
                                               const std::string& resource, size_t count) {
  auto taken = allocate(pod, container, {{resource, count}});
  if (!taken) return pass(taken);
  return std::move(taken->front());
}

Result<FakeAllocation> DeviceManager::allocate(const std::string& pod, const std::string& container,
                                               const std::string& resource,
                                               const std::vector<std::string>& ids) {
  auto taken = take(pod, container, resource, ids);
  if (taken) finish_container();
  return taken;
}

Result<std::vector<FakeAllocation>> DeviceManager::allocate(
    const std::string& pod, const std::string& container,
    const std::vector<FakeRequest>& requests) {
  std::vector<FakeAllocation> all;
  for (const auto& request : requests) {
    auto taken = take(pod, container, request);
    if (!taken) {
      if (!all.empty()) remove_pod(pod);
      return pass(taken);
    }
    all.push_back(std::move(*taken));
  }
  finish_container();
  return all;
}

// Only now is what the container has in the checkpoint.
void DeviceManager::finish_container() {
  const std::lock_guard lock(mutex_);
  write_checkpoint();
}

Result<FakeAllocation> DeviceManager::take(const std::string& pod, const std::string& container,
                                           const FakeRequest& request) {
  const auto [pod_namespace, name] = split_pod(pod);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& allocation : state_.allocations) {
      // A container that starts again keeps its devices, and the plugin is not asked.
      if (allocation.pod_namespace == pod_namespace && allocation.pod == name &&
          allocation.container == container && allocation.resource == request.resource) {
        return allocation;
      }
    }
  }
  auto ids = choose(request.resource, request.count);
  if (!ids) return pass(ids);
  return take(pod, container, request.resource, *ids);
}

Result<FakeAllocation> DeviceManager::take(const std::string& pod, const std::string& container,
                                           const std::string& resource,
                                           const std::vector<std::string>& ids) {
  FakeAllocation allocation;
  std::tie(allocation.pod_namespace, allocation.pod) = split_pod(pod);
  allocation.container = container;
  allocation.resource = resource;
  std::shared_ptr<Endpoint> endpoint;
  {
    const std::lock_guard lock(mutex_);
    const auto& devices = state_.resources[resource].devices;
    for (const auto& id : ids) {
      const auto found = devices.find(id);
      if (found == devices.end()) {
        return fail(ErrorCode::not_found, "{} has no device {}", resource, id);
      }
      allocation.devices.push_back(found->second);
    }
    const auto found = connected_.find(resource);
    if (found == connected_.end()) {
      return fail(ErrorCode::unavailable, "endpoint of {} is gone", resource);
    }
    endpoint = found->second;
  }
  auto response = call_allocate(*endpoint, ids);
  if (!response) return pass(response);
  if (options_.version == KubeletVersion::v1_20) response->clear_cdi_devices();  // unknown to it
  allocation.response = std::move(*response);
  const std::lock_guard lock(mutex_);
  state_.allocations.push_back(allocation);
  changed_.notify_all();
  return allocation;
}

Result<v1beta1::ContainerAllocateResponse> DeviceManager::call_allocate(
    Endpoint& endpoint, const std::vector<std::string>& ids) {
  v1beta1::AllocateRequest request;
  auto& container = *request.add_container_requests();
  for (const auto& id : ids) container.add_devices_ids(id);
  grpc::ClientContext context;  // kubelet sets no deadline
  v1beta1::AllocateResponse response;
  if (auto status = endpoint.stub->Allocate(&context, request, &response); !status.ok()) {
    return fail(ErrorCode::io, "Allocate failed due to {}, which is unexpected", go_text(status));
  }
  if (response.container_responses_size() != 1) {
    return fail(ErrorCode::decode, "no containers return in allocation response");
  }
  return response.container_responses(0);
}

Result<std::vector<FakeAllocation>> DeviceManager::start_container(const std::string& pod,
                                                                   const std::string& container) {
  const auto [pod_namespace, name] = split_pod(pod);
  std::vector<FakeAllocation> all;
  for (auto& allocation : state().allocations) {
    if (allocation.pod_namespace != pod_namespace || allocation.pod != name ||
        allocation.container != container) {
      continue;
    }
    if (auto asked = call_pre_start(allocation); !asked) return pass(asked);
    all.push_back(std::move(allocation));
  }
  return all;
}

// As callPreStartContainerIfNeeded() of 1.20 and 1.36. A kubelet that was started anew knows the
// resource by its checkpoint alone until the plugin is there again, and asks nobody.
Result<void> DeviceManager::call_pre_start(const FakeAllocation& allocation) {
  std::shared_ptr<Endpoint> endpoint;
  bool is_stopped = false;
  {
    const std::lock_guard lock(mutex_);
    if (dropped_.contains(allocation.resource)) {
      return fail(ErrorCode::not_found, "endpoint not found in cache for a registered resource: {}",
                  allocation.resource);
    }
    const auto connected = connected_.find(allocation.resource);
    const auto stopped = stopped_.find(allocation.resource);
    is_stopped = connected == connected_.end();
    if (!is_stopped) endpoint = connected->second;
    if (is_stopped && stopped != stopped_.end()) endpoint = stopped->second;
  }
  if (!endpoint || !endpoint->wishes_pre_start) return {};
  constexpr std::string_view kFailed = "device plugin PreStartContainer rpc failed with err: ";
  if (is_stopped) {
    return fail(ErrorCode::unavailable, "{}endpoint {} has been stopped", kFailed,
                static_cast<const void*>(endpoint.get()));
  }
  v1beta1::PreStartContainerRequest request;
  for (const auto& device : allocation.devices) request.add_devices_ids(device.id);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  v1beta1::PreStartContainerResponse response;
  const auto status = endpoint->stub->PreStartContainer(&context, request, &response);
  if (!status.ok()) return fail(ErrorCode::io, "{}{}", kFailed, go_text(status));
  return {};
}

Result<void> DeviceManager::admit_again(const std::string& pod) {
  if (options_.version == KubeletVersion::v1_20) return {};
  const auto [pod_namespace, name] = split_pod(pod);
  for (const auto& allocation : state().allocations) {
    if (allocation.pod_namespace != pod_namespace || allocation.pod != name) continue;
    auto has = has_healthy_devices(allocation);
    if (has) continue;
    remove_pod(pod);
    return has;
  }
  return {};
}

// As devicesToAllocate() of 1.36. Of a resource whose plugin is not back yet kubelet knows by its
// checkpoint that there is one, with no devices.
Result<void> DeviceManager::has_healthy_devices(const FakeAllocation& allocation) const {
  const auto& resource = allocation.resource;
  const std::lock_guard lock(mutex_);
  const auto known = with_healthy_devices(resource);
  if (!known) return pass(known);
  const auto is_healthy = [&](const FakeDevice& device) {
    const auto now = (*known)->devices.find(device.id);
    return now != (*known)->devices.end() && now->second.healthy;
  };
  if (std::all_of(allocation.devices.begin(), allocation.devices.end(), is_healthy)) return {};
  return fail(ErrorCode::unavailable,
              "previously allocated devices are no longer healthy; cannot allocate unhealthy "
              "devices {}",
              resource);
}

void DeviceManager::add_claim(FakeClaim claim) {
  const std::lock_guard lock(mutex_);
  state_.claims.push_back(std::move(claim));
}

void DeviceManager::remove_pod(const std::string& pod) {
  const auto [pod_namespace, name] = split_pod(pod);
  const std::lock_guard lock(mutex_);
  std::erase_if(state_.allocations, [&, &wanted = pod_namespace, &wanted_name = name](auto& entry) {
    return entry.pod_namespace == wanted && entry.pod == wanted_name;
  });
  changed_.notify_all();
}

void DeviceManager::note_refusal(const std::string& message) {
  const std::lock_guard lock(mutex_);
  state_.refusals.push_back(message);
  changed_.notify_all();
}

FakeKubeletState DeviceManager::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

bool DeviceManager::wait(std::chrono::milliseconds limit,
                         const std::function<bool(const FakeKubeletState&)>& condition) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return condition(state_); });
}

// Written as kubelet does, beside and then renamed: whoever watches the folder sees it.
void DeviceManager::write_checkpoint() {
  const std::filesystem::path folder = options_.checkpoint_dir;
  const auto beside = folder / fmt::format(".{}", 100'000'000 + ++checkpoints_);
  std::ofstream(beside) << checkpoint_of(state_);
  std::error_code failed;  // of no consequence to anybody
  std::filesystem::rename(beside, folder / "kubelet_internal_checkpoint", failed);
}

}  // namespace railhead::test
