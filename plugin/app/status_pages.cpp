#include "plugin/app/status_pages.hpp"

#include <algorithm>
#include <future>

#include "plugin/app/counted_devices.hpp"
#include "plugin/kubelet/pod_resources.hpp"
#include "plugin/metrics/memlock.hpp"

namespace railhead::app {
namespace {

// A look at a large node takes the loop a tenth of a second; a probe waits five.
constexpr std::chrono::seconds kTurnLimit{2};
constexpr std::chrono::seconds kKubeletLimit{2};

http::Response stuck() { return {503, "the agent's loop does not take its turn\n"}; }

metrics::PoolState pool_state(const Daemon::Served& served) {
  const auto offers = pool::offers(served.view->pool);
  const auto healthy =
      static_cast<size_t>(std::ranges::count_if(offers, [](const auto& o) { return o.healthy; }));
  return {served.view->pool.resource.full_name(), served.watched, healthy, offers.size() - healthy};
}

}  // namespace

StatusPages::StatusPages(const Options& options, const host::Host& host, const Daemon& daemon,
                         kubelet::TaskQueue& loop, const metrics::Metrics& metrics, Logger& log)
    : options_(options), host_(host), daemon_(daemon), loop_(loop), metrics_(metrics), log_(log) {}

http::Response StatusPages::answer(std::string_view path) const {
  if (path == "/metrics") return metrics_page();
  if (path == "/healthz") return health_page();
  if (path == "/readyz") return ready_page();
  return http::plain(404);
}

// Nothing when the loop does not turn in time; what it answers later is thrown away.
std::optional<Daemon::State> StatusPages::ask_daemon() const {
  const auto promise = std::make_shared<std::promise<Daemon::State>>();
  auto answer = promise->get_future();
  loop_.post([promise, &daemon = daemon_] { promise->set_value(daemon.state()); });
  if (answer.wait_for(kTurnLimit) != std::future_status::ready) return std::nullopt;
  return answer.get();
}

http::Response StatusPages::metrics_page() const {
  const auto state = ask_daemon();
  if (!state) return stuck();
  auto pods = kubelet::list_pod_devices(options_.kubelet_dir + "/pod-resources/kubelet.sock",
                                        kKubeletLimit);
  if (!pods) log_.debug("who holds which device is unknown", {{"error", pods.error().message}});

  metrics::Now now;
  for (const auto& served : state->pools) now.pools.push_back(pool_state(served));
  now.config_current = state->config_current;
  now.memlock_limit = metrics::memlock_limit();
  now.counters = metrics::read_device_counters(
      host_, counted_devices(*state, pods.value_or(std::vector<kubelet::PodDevices>{}),
                             options_.all_counters));
  for (const auto& error : now.counters.out_of_sight) {
    log_.debug("no counters of a device", {{"error", error.message}});
  }
  return {200, metrics_.text(now), metrics::Metrics::kContentType};
}

http::Response StatusPages::health_page() const {
  if (!ask_daemon()) return stuck();
  if (!daemon_.session_takes_turns(kTurnLimit)) {
    return {503, "the session with kubelet does not take its turn\n"};
  }
  return {200, "ok\n"};
}

http::Response StatusPages::ready_page() const {
  const auto state = ask_daemon();
  if (!state) return stuck();
  std::string wrong;
  for (const auto& served : state->pools) {
    if (served.watched) continue;
    wrong += fmt::format("kubelet does not watch {}\n", served.view->pool.resource.full_name());
  }
  if (!state->config_current) {
    wrong += fmt::format("the configuration in {} was refused\n", options_.config_file);
  }
  return wrong.empty() ? http::Response{200, "ok\n"} : http::Response{503, std::move(wrong)};
}

}  // namespace railhead::app
