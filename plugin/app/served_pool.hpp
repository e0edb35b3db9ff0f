#pragma once
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>

#include "base/log.hpp"
#include "plugin/app/pod_gpus.hpp"
#include "plugin/grant/cdi.hpp"
#include "plugin/kubelet/pool_service.hpp"
#include "plugin/metrics/metrics.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::app {

// A pool as it stands after one look at the node; never changed, only replaced.
struct PoolView {
  pool::Pool pool;
  std::shared_ptr<const device::Inventory> inventory;
  std::chrono::steady_clock::time_point began;  // the look
};

// A pool as kubelet sees it, for as long as its resource is configured.
class ServedPool final : public kubelet::PoolService {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `gpus`, `metrics` and `log` outlive it. Without `cdi` containers get device nodes.
  ServedPool(PoolView view, grant::Places places, std::optional<grant::CdiOptions> cdi,
             const PodGpus& gpus, metrics::Metrics& metrics, Logger& log);

  // Whether kubelet is to be told anew. `event`: what led to the look, if it was one.
  [[nodiscard]] bool show(PoolView view, std::optional<TimePoint> event);
  [[nodiscard]] std::shared_ptr<const PoolView> view() const;

  [[nodiscard]] bool is_watched() const { return watched_; }  // by kubelet

  [[nodiscard]] std::string resource_name() const override { return resource_name_; }
  [[nodiscard]] std::vector<kubelet::Device> devices() const override;
  [[nodiscard]] Result<kubelet::ContainerAllocation> allocate(
      const std::vector<std::string>& device_ids) override;
  // Shares of a whole pool are all the same. Kubelet asks once, when the pool is registered: a
  // resource that changes in this needs a pool made anew.
  [[nodiscard]] static bool prefers(const config::Resource& resource);
  [[nodiscard]] bool has_preference() const override { return has_preference_; }
  [[nodiscard]] Result<std::vector<std::string>> preferred(
      const kubelet::PreferenceRequest& request) override;
  void watched(bool by_kubelet) override;
  void devices_sent(std::chrono::nanoseconds took) override;

 private:
  [[nodiscard]] Result<kubelet::ContainerAllocation> give(
      const std::vector<std::string>& device_ids);
  void tell_left_out(const grant::Grant& granted);
  void write_cdi_spec(const PoolView& view);
  [[nodiscard]] Result<void> name_cdi_devices(const grant::Grant& granted, TimePoint began,
                                              kubelet::ContainerAllocation& answer);

  const std::string resource_name_;
  const bool has_preference_;
  const grant::Places places_;
  const std::optional<grant::CdiOptions> cdi_;
  std::unique_ptr<grant::CdiSpec> cdi_spec_;  // with cdi_
  const PodGpus& gpus_;
  metrics::Metrics& metrics_;
  Logger& log_;
  std::atomic<bool> watched_ = false;
  mutable std::mutex mutex_;  // of what follows
  std::shared_ptr<const PoolView> view_;
  std::optional<TimePoint> event_;  // kubelet has not been told yet
};

}  // namespace railhead::app
