#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "base/log.hpp"
#include "plugin/grant/cdi.hpp"
#include "plugin/grant/given.hpp"
#include "plugin/kubelet/pool_service.hpp"
#include "plugin/ledger/asking.hpp"
#include "plugin/ledger/ledger.hpp"
#include "plugin/metrics/metrics.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::app {

// When the reading of a function began.
using ReadAt = std::map<PciAddress, std::chrono::steady_clock::time_point>;

// A pool as it stands after one look at the node; never changed, only replaced.
struct PoolView {
  pool::Pool pool;
  std::shared_ptr<const device::Inventory> inventory;
  std::shared_ptr<const ledger::Holdings> holdings;
  // As node::Snapshot has it; null: not known.
  std::shared_ptr<const ReadAt> read_at;
};

// What a pool asks others about while it answers kubelet, on threads of gRPC.
struct Answers {
  ledger::Grants& grants;
  std::function<ledger::Asking(const device::Inventory&)> who_asks;
  // What the container was given that has these offers of the resource, all of the container's.
  std::function<std::optional<grant::Given>(const std::string& resource,
                                            const std::vector<std::string>& ids)>
      given;
  // Told that a container may open what it has of these from now on.
  std::function<void(const std::string& resource, const std::vector<std::string>& ids)> opened;
};

// A pool as kubelet sees it, for as long as its resource is configured.
class ServedPool final : public kubelet::PoolService {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // What `answers` refers to, `metrics` and `log` outlive it. Without `cdi` containers get device
  // nodes.
  ServedPool(PoolView view, grant::Places places, std::optional<grant::CdiOptions> cdi,
             Answers answers, metrics::Metrics& metrics, Logger& log);

  // Whether kubelet is to be told anew. `event`: what led to the look, if it was one.
  // Waits for nothing.
  [[nodiscard]] bool show(PoolView view, std::optional<TimePoint> event);
  // Gives nothing from now on: what it has may be another's already.
  void end();
  // As it is shown now, for the runtime; nothing without CDI.
  void write_cdi_spec();
  [[nodiscard]] std::shared_ptr<const PoolView> view() const;

  [[nodiscard]] bool is_watched() const { return watched_; }  // by kubelet

  [[nodiscard]] std::string resource_name() const override { return resource_name_; }
  [[nodiscard]] std::vector<kubelet::Device> devices() const override;
  [[nodiscard]] Result<kubelet::ContainerAllocation> allocate(
      const std::vector<std::string>& device_ids) override;
  // Compares what the container was given with what its devices have now; with CDI the devices'
  // spec gets what they have now.
  [[nodiscard]] Result<void> pre_start(const std::vector<std::string>& device_ids) override;
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
  [[nodiscard]] Result<kubelet::ContainerAllocation> answer_with(const PoolView& view,
                                                                 grant::Ask ask,
                                                                 ledger::Granted& noted);
  [[nodiscard]] Result<grant::Ask> decide(const PoolView& view,
                                          const std::vector<std::string>& device_ids) const;
  [[nodiscard]] Result<grant::Grant> grant_now(const PoolView& view, Result<grant::Ask> ask) const;
  void tell_left_out(const grant::Grant& granted);
  // `result`: as docs/metrics.md names it.
  struct Start {
    const char* result = "ok";
    Result<void> done;
  };
  [[nodiscard]] Start judge_start(const std::vector<std::string>& device_ids);
  [[nodiscard]] Result<void> refresh_cdi_spec(const std::vector<std::string>& device_ids);
  [[nodiscard]] std::vector<std::string> devices_held_by(
      const std::vector<std::string>& device_ids) const;
  [[nodiscard]] Result<void> compare(const grant::Given& given) const;
  [[nodiscard]] Result<void> name_cdi_devices(const grant::Grant& granted, TimePoint began,
                                              kubelet::ContainerAllocation& answer);

  const std::string resource_name_;
  const bool has_preference_;
  const grant::Places places_;
  const std::optional<grant::CdiOptions> cdi_;
  std::unique_ptr<grant::CdiSpec> cdi_spec_;  // with cdi_
  const Answers answers_;
  metrics::Metrics& metrics_;
  Logger& log_;
  std::atomic<bool> watched_ = false;
  mutable std::mutex mutex_;  // of what follows
  std::shared_ptr<const PoolView> view_;
  std::optional<TimePoint> event_;  // kubelet has not been told yet
};

}  // namespace railhead::app
