#pragma once
// The agent while it serves: one object, driven by one thread, that waits for nothing.
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/events.hpp"
#include "host/folder_watch.hpp"
#include "plugin/app/config_watch.hpp"
#include "plugin/app/debounce.hpp"
#include "plugin/app/news.hpp"
#include "plugin/app/options.hpp"
#include "plugin/app/served_pool.hpp"
#include "plugin/config/config.hpp"
#include "plugin/health/hysteresis.hpp"
#include "plugin/health/ports.hpp"
#include "plugin/kubelet/session.hpp"
#include "plugin/metrics/metrics.hpp"

namespace railhead::app {

// Looks at the node, sorts its devices into pools, serves these to kubelet, and does so again when
// the kernel says that something has changed, or the configuration has.
class Daemon {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Everything it is given outlives it. What is wrong with the configuration is logged. Errors:
  // invalid_argument (the configuration), or what keeps the node from being looked at or kubelet
  // from being served.
  [[nodiscard]] static Result<std::unique_ptr<Daemon>> start(const Options& options,
                                                             const host::Host& host,
                                                             host::Events& events,
                                                             metrics::Metrics& metrics,
                                                             Logger& log);

  [[nodiscard]] int fd() const { return epoll_.get(); }  // readable: turn() has something to do
  [[nodiscard]] std::optional<TimePoint> due() const;    // so it has then, by the host's clock
  void turn();

  // Reads the configuration anew and looks at the node, at once. With a configuration that is
  // wrong, or cannot be read, the one in force stays.
  void reload();

  // What it serves now.
  struct Served {
    std::shared_ptr<const PoolView> view;
    bool watched = false;  // by kubelet
  };
  struct State {
    std::shared_ptr<const device::Inventory> inventory;
    std::vector<Served> pools;    // by resource name
    bool config_current = false;  // false: what is on disk was refused
  };
  [[nodiscard]] State state() const;
  // Whether the session with kubelet takes its turn within `limit`. From any thread.
  [[nodiscard]] bool session_takes_turns(std::chrono::milliseconds limit) const;

 private:
  Daemon(const Options& options, const host::Host& host, host::Events& events,
         metrics::Metrics& metrics, Logger& log, ConfigWatch config_watch,
         host::FolderWatch records_watch, UniqueFd epoll);
  [[nodiscard]] Result<void> begin();
  void read_config_file();
  // `reason`: as Metrics::rescanned(); `event`: the first of those that led to it.
  [[nodiscard]] Result<void> look(const std::string& reason,
                                  std::optional<TimePoint> event = std::nullopt);
  void show(pool::Selection selection, std::optional<TimePoint> event);
  void show(pool::Pool pool, std::optional<TimePoint> event);
  void note_recovery(const host::PciRecovery& recovery);
  void gather_sickness();
  void keep_rails(pool::Rails rails);
  [[nodiscard]] grant::Places places() const;
  void judge(pool::Selection& selection);
  void remove_stale_cdi_specs();
  void forget_changed_resources(const config::Config& next);
  [[nodiscard]] std::optional<TimePoint> judgement_due() const;
  void tell_of_empty_pools(const pool::Selection& selection);
  void check_rdma_mode();
  void follow_ports(const pool::Selection& selection);
  void check_ports();

  const Options& options_;
  const host::Host& host_;
  host::Events& events_;
  metrics::Metrics& metrics_;
  Logger& log_;
  News news_;
  ConfigWatch config_watch_;
  host::FolderWatch records_watch_;
  UniqueFd epoll_;

  config::Config config_;
  bool config_is_new_ = true;  // since the last look
  bool config_current_ = true;
  bool events_lost_ = false;  // since the last look
  bool look_failed_ = false;  // the last one
  TimePoint look_began_;      // the last one
  pool::Knowledge knowledge_;
  pool::Rails rails_on_disk_;
  std::map<PciAddress, std::string> recovering_;  // functions with a PCI error, and the step
  health::Hysteresis hysteresis_;
  std::shared_ptr<const device::Inventory> inventory_;
  Debounce events_seen_;                           // to the next look
  Debounce config_seen_;                           // to the next reading of the configuration
  std::optional<TimePoint> rescan_;                // after a look that failed, or as configured
  std::vector<const device::RdmaDevice*> polled_;  // of *inventory_, whose ports no event tells of
  std::optional<TimePoint> port_check_;            // of those
  std::optional<TimePoint> mode_check_;            // where shared pools make the RDMA mode matter

  PodGpus gpus_;
  std::map<std::string, std::shared_ptr<ServedPool>> pools_;  // by resource name
  std::unique_ptr<kubelet::KubeletSession> session_;          // empty only while beginning
};

}  // namespace railhead::app
