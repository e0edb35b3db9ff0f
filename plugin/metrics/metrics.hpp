#pragma once
// What the agent tells Prometheus. docs/metrics.md has the table of all names.
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/metrics/device_counters.hpp"

namespace railhead::metrics {

using Seconds = std::chrono::duration<double>;

struct PoolState {
  std::string resource;  // "rdma/vf"
  bool registered = false;
  size_t healthy = 0;  // devices, or shares, as kubelet is told
  size_t unhealthy = 0;
  std::map<std::string_view, size_t> unhealthy_by_reason;  // devices; docs/metrics.md has the words
  friend bool operator==(const PoolState&, const PoolState&) = default;
};

// What is true at the moment of a scrape.
struct Now {
  std::vector<PoolState> pools;
  bool config_current = false;            // the configuration in force is the one on disk
  bool serving = true;                    // false: a standby
  std::optional<uint64_t> memlock_limit;  // bytes; absent: none
  std::vector<CountedDevice> devices;     // with their holders
  Sweep counters;
};

// What happened since the start. All functions are cheap and may be called from any thread.
class Metrics {
 public:
  explicit Metrics(std::string_view version);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void allocated(const std::string& resource, bool done, Seconds took);
  // `result`: a word from a small, fixed set; docs/metrics.md lists them.
  void pre_started(const std::string& resource, const std::string& result);
  // An update of ListAndWatch: from asking for it until gRPC has taken it.
  void devices_sent(Seconds took);
  // From a kernel event to the update that it led to.
  void event_answered(Seconds took);
  // `reason`: a word from a small, fixed set; docs/metrics.md lists them.
  void rescanned(const std::string& reason);
  void config_read(bool taken);
  void port_polled();
  // `result`: a word from a small, fixed set; docs/metrics.md lists them.
  void owner_asked(const std::string& result);
  void resolve_asked(const std::string& result);
  // `verb`: "nad" or "pod".
  void cluster_asked(const std::string& verb, const std::string& result);
  void status_written(const std::string& result);

  // The text format of Prometheus 0.0.4.
  [[nodiscard]] std::string text(const Now& now) const;
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace railhead::metrics
