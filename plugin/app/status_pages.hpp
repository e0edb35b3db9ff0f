#pragma once
#include <memory>
#include <string_view>

#include "plugin/app/daemon.hpp"
#include "plugin/http/server.hpp"
#include "plugin/kubelet/task_queue.hpp"

namespace railhead::app {

// What the agent shows of itself over HTTP: /metrics, /healthz, /readyz (docs/metrics.md).
class StatusPages {
 public:
  // Everything outlives it. `loop` is what the daemon's thread runs at its turns: the daemon is
  // asked there and nowhere else, and one whose loop does not turn does not answer.
  StatusPages(const Options& options, const host::Host& host, const Daemon& daemon,
              kubelet::TaskQueue& loop, const metrics::Metrics& metrics, Logger& log);

  // The answer for a path; takes no longer than some seconds. On another thread than the daemon's.
  [[nodiscard]] http::Response answer(std::string_view path) const;

 private:
  [[nodiscard]] std::optional<Daemon::State> ask_daemon() const;
  [[nodiscard]] http::Response metrics_page() const;
  [[nodiscard]] http::Response health_page() const;
  [[nodiscard]] http::Response ready_page() const;

  const Options& options_;
  const host::Host& host_;
  const Daemon& daemon_;
  kubelet::TaskQueue& loop_;
  const metrics::Metrics& metrics_;
  Logger& log_;
};

}  // namespace railhead::app
