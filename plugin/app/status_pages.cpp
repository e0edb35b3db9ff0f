#include "plugin/app/status_pages.hpp"

#include <algorithm>
#include <future>
#include <system_error>
#include <thread>

#include "plugin/app/counted_devices.hpp"
#include "plugin/app/status_text.hpp"
#include "plugin/metrics/memlock.hpp"
#include "plugin/pool/list_size.hpp"

namespace railhead::app {
namespace {

http::Response stuck() { return {503, "the agent's loop does not take its turn\n"}; }

std::map<std::string_view, size_t> unhealthy_by_reason(const pool::Pool& pool) {
  std::map<std::string_view, size_t> counts;
  for (const auto& member : pool.members) {
    if (!pool.sickness.empty()) {
      ++counts[to_string(pool::Cause::mode)];
    } else if (!member.sickness.empty()) {
      ++counts[to_string(member.cause)];
    }
  }
  for (const auto& held : pool.leftovers) {
    if (!held.healthy) ++counts["gone"];
  }
  return counts;
}

metrics::PoolState pool_state(const Pools::Served& served) {
  const auto& pool = served.view->pool;
  const auto offers = pool::offers_told(pool, *served.view->holdings);
  const auto healthy =
      static_cast<size_t>(std::ranges::count_if(offers, [](const auto& o) { return o.healthy; }));
  return {pool.resource.full_name(), served.watched, healthy, offers.size() - healthy,
          unhealthy_by_reason(pool)};
}

}  // namespace

StatusPages::StatusPages(Options options, const host::Host& host, Agent& agent, const Loop& loop,
                         const metrics::Metrics& metrics, std::function<Around()> around,
                         Logger& log)
    : options_(options),
      host_(host),
      agent_(agent),
      loop_(loop),
      metrics_(metrics),
      around_(std::move(around)),
      log_(log) {}

http::Response StatusPages::probe(std::string_view path) const {
  if (path == "/healthz") return health_page();
  if (path == "/readyz") return ready_page();
  const bool json = path == "/status.json";
  if (!json && path != "/status") return http::plain(404);
  const auto state = ask(Holding::refreshed);
  if (!state) return stuck();
  if (json) return {200, status_json(*state), "application/json"};
  return {200, status_text(*state)};
}

http::Response StatusPages::answer(std::string_view path) {
  return path == "/metrics" ? metrics_page() : probe(path);
}

// Nothing when the loop does not turn in time; what it answers later is thrown away.
std::optional<Agent::State> StatusPages::ask(Holding holders) const {
  return loop_.ask(options_.turn_limit, [this, holders] {
    if (holders == Holding::refreshed) agent_.refresh_holders();
    auto state = agent_.state();
    auto around = around_();
    state.server = std::move(around.server);
    state.troubles.insert(state.troubles.end(), around.troubles.begin(), around.troubles.end());
    return state;
  });
}

// Counters are the driver's to tell, which may take its time, or for ever: then no further thread
// waits for it.
http::Response StatusPages::metrics_page() {
  const auto state = ask(Holding::refreshed);
  if (!state) return stuck();
  if (scraping_->exchange(true))
    return {503, "the scrape before this one has not come to an end\n"};
  const auto text = std::make_shared<std::promise<std::string>>();
  auto answer = text->get_future();
  const auto scrape = [this, state = *state, scraping = scraping_, text] {
    metrics::Now now;
    for (const auto& served : state.pools) now.pools.push_back(pool_state(served));
    now.config_current = state.config_current;
    now.serving = state.serving;
    now.memlock_limit = metrics::memlock_limit();
    now.devices = counted_devices(state, options_.all_counters);
    now.counters = metrics::read_device_counters(host_, now.devices);
    for (const auto& error : now.counters.out_of_sight) {
      log_.debug("no counters of a device", {{"error", error.message}});
    }
    text->set_value(metrics_.text(now));
    *scraping = false;
  };
  try {
    std::thread(scrape).detach();
  } catch (const std::system_error&) {
    *scraping_ = false;
    return {503, "no thread is to be had\n"};
  }
  if (answer.wait_for(options_.scrape_limit) != std::future_status::ready) {
    return {503, "a device's counters cannot be read in time\n"};
  }
  return {200, answer.get(), metrics::Metrics::kContentType};
}

http::Response StatusPages::health_page() const {
  const auto session =
      loop_.ask(options_.turn_limit, [&agent = agent_] { return agent.session(); });
  if (!session) return stuck();
  if (*session && !(*session)->takes_turns(options_.turn_limit)) {
    return {503, "the session with kubelet does not take its turn\n"};
  }
  return {200, "ok\n"};
}

// A standby is ready: it waits for nothing but the other one's end.
http::Response StatusPages::ready_page() const {
  const auto state = ask(Holding::as_known);
  if (!state) return stuck();
  std::string wrong;
  for (const auto& trouble : state->troubles) wrong += trouble + '\n';
  if (!wrong.empty()) return {503, std::move(wrong)};
  return {200, state->serving ? "ok\n" : "standby\n"};
}

}  // namespace railhead::app
