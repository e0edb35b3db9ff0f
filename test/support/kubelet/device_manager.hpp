#pragma once
// The part of the kubelet stand-in that knows resources, their devices, and who has them.
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "proto/deviceplugin.pb.h"

namespace railhead::test {

struct FakeDevice {
  std::string id;
  bool healthy = true;
  bool has_topology = false;
  std::vector<int64_t> numa_nodes;
  friend bool operator==(const FakeDevice&, const FakeDevice&) = default;
};

struct FakeResource {
  std::map<std::string, FakeDevice> devices;
  int registrations = 0;                 // accepted ones, ever
  int lists = 0;                         // messages of ListAndWatch, ever
  std::set<std::string> told_unhealthy;  // by any of these since the last registration
  [[nodiscard]] size_t healthy() const;
};

struct FakeAllocation {
  std::string pod_namespace;
  std::string pod;
  std::string container;
  std::string resource;
  std::vector<FakeDevice> devices;  // in the order in which they were asked for
  v1beta1::ContainerAllocateResponse response;
};

// A device that a container has by a claim.
struct FakeClaim {
  std::string pod_namespace;
  std::string pod;
  std::string container;
  std::string driver;
  std::string pool;
  std::string device;
};

struct FakeRequest {
  std::string resource;
  size_t count = 1;
};

struct FakeKubeletState {
  std::map<std::string, FakeResource> resources;
  std::vector<std::string> refusals;  // what refused plugins were told
  std::vector<FakeAllocation> allocations;
  std::vector<FakeClaim> claims;
};

enum class KubeletVersion { v1_20, v1_36 };

class DeviceManager {
 public:
  struct Options {
    KubeletVersion version = KubeletVersion::v1_36;
    uint32_t seed = 1;  // of the order in which devices are taken
    std::chrono::milliseconds dial_limit{10'000};
    std::string checkpoint_dir;
  };
  explicit DeviceManager(Options options);
  ~DeviceManager();

  // Empty: the name may be used. Else kubelet's words.
  [[nodiscard]] static std::string why_refused(const std::string& resource);

  // Dials a plugin and starts to watch it. An instance that serves the resource already stays
  // connected, unnoticed, until it goes.
  // `told`: the options of RegisterRequest, of which old kubelets live; else the plugin is asked.
  [[nodiscard]] Result<void> connect(
      const std::string& resource, const std::string& socket,
      const std::optional<v1beta1::DevicePluginOptions>& told = std::nullopt);
  // What kubelet does when any instance that serves the resource is gone: the one that is connected
  // now loses its watch, whichever that is, and no device is healthy.
  void disconnect(const std::string& resource);
  // Kubelet drops plugins that have been gone for so long, and their devices.
  void five_minutes_pass();
  void disconnect_all();  // kubelet stops: all watches end, the allocations stay

  [[nodiscard]] Result<FakeAllocation> allocate(const std::string& pod,
                                                const std::string& container,
                                                const std::string& resource, size_t count);
  [[nodiscard]] Result<FakeAllocation> allocate(const std::string& pod,
                                                const std::string& container,
                                                const std::string& resource,
                                                const std::vector<std::string>& ids);
  // A container with several resources, which are taken in this order; the checkpoint is written
  // after the last. A pod that is refused at a later one than the first keeps nothing.
  [[nodiscard]] Result<std::vector<FakeAllocation>> allocate(
      const std::string& pod, const std::string& container,
      const std::vector<FakeRequest>& requests);
  // The first start of a container, and each further one: asks the plugins that wish it, and gives
  // what the container starts with, which is what Allocate answered.
  [[nodiscard]] Result<std::vector<FakeAllocation>> start_container(const std::string& pod,
                                                                    const std::string& container);
  // After a boot kubelet admits the pods that it knows once more. Since 1.25 a pod must find its
  // devices healthy, else it is Failed for good, in the words of the error, and has them no more;
  // older kubelets ask nobody, and give what is in their checkpoint.
  [[nodiscard]] Result<void> admit_again(const std::string& pod);
  void remove_pod(const std::string& pod);
  // A driver of dynamic resource allocation has prepared it.
  void add_claim(FakeClaim claim);

  void note_refusal(const std::string& message);
  [[nodiscard]] FakeKubeletState state() const;
  // Whether the state came to be so within the limit; looked at again at each change.
  bool wait(std::chrono::milliseconds limit,
            const std::function<bool(const FakeKubeletState&)>& condition) const;

 private:
  struct Endpoint;
  void watch(const std::shared_ptr<Endpoint>& endpoint);
  [[nodiscard]] Result<const FakeResource*> with_healthy_devices(const std::string& resource) const;
  [[nodiscard]] Result<void> has_healthy_devices(const FakeAllocation& allocation) const;
  void mark_unhealthy(const std::string& resource);
  Result<std::vector<std::string>> free_devices(const std::string& resource, size_t count);
  Result<std::vector<std::string>> choose(const std::string& resource, size_t count);
  Result<FakeAllocation> take(const std::string& pod, const std::string& container,
                              const FakeRequest& request);
  Result<FakeAllocation> take(const std::string& pod, const std::string& container,
                              const std::string& resource, const std::vector<std::string>& ids);
  void finish_container();
  Result<v1beta1::ContainerAllocateResponse> call_allocate(Endpoint& endpoint,
                                                           const std::vector<std::string>& ids);
  Result<void> call_pre_start(const FakeAllocation& allocation);
  void write_checkpoint();

  const Options options_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  FakeKubeletState state_;
  std::map<std::string, std::shared_ptr<Endpoint>> connected_;  // by resource
  std::map<std::string, std::shared_ptr<Endpoint>> stopped_;    // that ended in this kubelet's life
  std::set<std::string> dropped_;                               // of these, long ago
  std::vector<std::shared_ptr<Endpoint>> endpoints_;            // all, also those that ended
  std::mt19937 random_;
  int checkpoints_ = 0;
};

}  // namespace railhead::test
