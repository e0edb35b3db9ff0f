#pragma once
// A stand-in for kubelet's device manager over real gRPC and unix sockets, for tests and for nodes
// without Kubernetes. It behaves as kubelets 1.20 and 1.36 were seen to behave towards plugins.
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "test/support/kubelet/device_manager.hpp"

namespace railhead::test {

// Errors of allocate() are what the user would read on the pod. A pod is "name" (in the namespace
// "default") or "namespace/name". All waits are bounded and end at the change they wait for.
class FakeKubelet {
 public:
  struct Options {
    std::string dir;  // stands for /var/lib/kubelet
    // Whether it watches <dir>/plugins_registry. Without, that folder is not made.
    bool plugin_watcher = true;
    KubeletVersion version = KubeletVersion::v1_36;
    uint32_t seed = 1;                             // of the order in which devices are taken
    std::chrono::milliseconds dial_limit{10'000};  // Register's patience with a plugin
  };

  // Throws std::runtime_error when its own sockets cannot be made.
  explicit FakeKubelet(Options options);
  ~FakeKubelet();

  // As systemctl would. Its sockets and the plugins' stay as files when it stops; those in
  // device-plugins are removed when it starts. Allocations survive.
  void stop();
  void start();
  void restart() {
    stop();
    start();
  }

  // For plugins that are gone; see DeviceManager.
  void five_minutes_pass();

  // The next plugin to register is told that all is well, and never called.
  void forget_next_plugin();

  [[nodiscard]] Result<FakeAllocation> allocate(const std::string& pod,
                                                const std::string& container,
                                                const std::string& resource, size_t count);
  [[nodiscard]] Result<FakeAllocation> allocate(const std::string& pod,
                                                const std::string& container,
                                                const std::string& resource,
                                                const std::vector<std::string>& ids);
  [[nodiscard]] Result<std::vector<FakeAllocation>> allocate(
      const std::string& pod, const std::string& container,
      const std::vector<FakeRequest>& requests);
  // The container's first start after allocate(), and each further one.
  [[nodiscard]] Result<std::vector<FakeAllocation>> start_container(const std::string& pod,
                                                                    const std::string& container);
  // After a boot (restart() for kubelet); see DeviceManager.
  [[nodiscard]] Result<void> admit_again(const std::string& pod);
  void remove_pod(const std::string& pod);
  void add_claim(FakeClaim claim);

  [[nodiscard]] FakeKubeletState state() const;
  bool wait(std::chrono::milliseconds limit,
            const std::function<bool(const FakeKubeletState&)>& condition) const;
  // Until the resource was listed and exactly so many of its devices are healthy: zero is not what
  // an unknown resource has.
  bool wait_for_healthy(const std::string& resource, size_t count,
                        std::chrono::milliseconds limit = std::chrono::seconds(10)) const;

  // "<dir>/pod-resources/kubelet.sock"
  [[nodiscard]] std::string pod_resources_socket() const;

 private:
  class Running;
  const Options options_;
  DeviceManager devices_;
  std::unique_ptr<Running> running_;  // empty: stopped
};

}  // namespace railhead::test
