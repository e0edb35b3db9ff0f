#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/app/agent.hpp"
#include "plugin/http/message.hpp"

namespace railhead::app {

// What the agent shows of itself over HTTP. The agent is asked on its loop and nowhere else, and
// one whose loop does not turn does not answer. All calls may be made on any thread but the loop's.
class StatusPages {
 public:
  struct Options {
    bool all_counters = false;                      // of RDMA devices that no pod holds, too
    std::chrono::milliseconds turn_limit{2'000};    // of a loop; a probe waits five seconds
    std::chrono::milliseconds scrape_limit{8'000};  // Prometheus waits ten
  };
  // What is around the agent.
  struct Around {
    std::string server;                 // Agent::State::server
    std::vector<std::string> troubles;  // that are none of the agent's parts'
  };
  // Everything outlives it; `around` is called on the loop's thread.
  StatusPages(Options options, const host::Host& host, Agent& agent, const Loop& loop,
              const metrics::Metrics& metrics, std::function<Around()> around, Logger& log);

  // /healthz, /readyz, /status and /status.json: nothing of these reads hardware. Within some
  // seconds.
  [[nodiscard]] http::Response probe(std::string_view path) const;
  // The same, and /metrics, which reads counters: by one thread at a time, and for no longer than a
  // scraper waits.
  [[nodiscard]] http::Response answer(std::string_view path);
  [[nodiscard]] bool scraping() const { return *scraping_; }  // now

 private:
  // Kubelet is asked anew for whoever looks next; a probe, every second, is not worth that.
  enum class Holding { as_known, refreshed };
  [[nodiscard]] std::optional<Agent::State> ask(Holding holders) const;
  [[nodiscard]] http::Response metrics_page();
  [[nodiscard]] http::Response health_page() const;
  [[nodiscard]] http::Response ready_page() const;

  const Options options_;
  const host::Host& host_;
  Agent& agent_;
  const Loop& loop_;
  const metrics::Metrics& metrics_;
  const std::function<Around()> around_;
  Logger& log_;
  const std::shared_ptr<std::atomic<bool>> scraping_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace railhead::app
