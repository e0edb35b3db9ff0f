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
#include "plugin/app/debounce.hpp"
#include "plugin/app/options.hpp"
#include "plugin/app/served_pool.hpp"
#include "plugin/config/config.hpp"
#include "plugin/kubelet/session.hpp"

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
                                                             host::Events& events, Logger& log);

  [[nodiscard]] int fd() const { return epoll_.get(); }  // readable: turn() has something to do
  [[nodiscard]] std::optional<TimePoint> due() const;    // so it has then, by the host's clock
  void turn();

  // Reads the configuration anew and looks at the node, at once. With a configuration that is
  // wrong, or cannot be read, the one in force stays.
  void reload();

 private:
  Daemon(const Options& options, const host::Host& host, host::Events& events, Logger& log,
         host::FolderWatch config_watch, UniqueFd epoll);
  [[nodiscard]] Result<void> begin();
  [[nodiscard]] bool config_touched();
  void read_config_file();
  [[nodiscard]] Result<void> look();
  void show(pool::Selection selection);
  void show(pool::Pool pool);
  void log_news(const pool::Selection& selection);
  void log_once(const std::vector<std::string>& warnings);
  void check_rdma_mode();

  const Options& options_;
  const host::Host& host_;
  host::Events& events_;
  Logger& log_;
  host::FolderWatch config_watch_;
  UniqueFd epoll_;

  config::Config config_;
  bool config_is_new_ = true;  // since the last look
  pool::Knowledge knowledge_;
  std::shared_ptr<const device::Inventory> inventory_;
  std::vector<std::string> warnings_;    // of the last look, each logged when it was new
  std::vector<pool::LeftOut> left_out_;  // likewise
  Debounce events_seen_;                 // to the next look
  Debounce config_seen_;                 // to the next reading of the configuration
  std::optional<TimePoint> rescan_;      // after a look that failed, or as configured
  std::optional<TimePoint> mode_check_;  // where shared pools make the RDMA mode matter

  PodGpus gpus_;
  std::map<std::string, std::unique_ptr<ServedPool>> pools_;  // by resource name
  std::unique_ptr<kubelet::KubeletSession> session_;          // empty only while beginning
};

}  // namespace railhead::app
