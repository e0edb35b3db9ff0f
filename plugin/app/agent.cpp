#include "plugin/app/agent.hpp"

#include <algorithm>
#include <array>
#include <csignal>

#include <poll.h>

#include "plugin/app/commands.hpp"
#include "plugin/app/daemon.hpp"
#include "plugin/app/inputs.hpp"
#include "plugin/app/instance_lock.hpp"
#include "plugin/app/signals.hpp"
#include "plugin/app/status_pages.hpp"
#include "plugin/metrics/memlock.hpp"

namespace railhead::app {
namespace {

constexpr auto kLockUnknown = "cannot tell whether another agent serves this node";

// Until one of the files has something to read, or the time has come.
void wait(const std::array<int, 3>& files, std::optional<Daemon::TimePoint> due,
          const Clock& clock) {
  std::array<pollfd, 3> fds{};
  std::ranges::transform(files, fds.begin(), [](int fd) { return pollfd{fd, POLLIN, 0}; });
  poll(fds.data(), fds.size(), poll_timeout_ms(due, clock.now()));
}

// A container gets the runtime's limit, and this one's is what the node's pods get.
void warn_of_memlock(Logger& log) {
  const auto limit = metrics::memlock_limit();
  if (!limit) return;
  log.warning("pods may lock little memory only: RDMA will fail in them, see docs/memlock.md",
              {{"memlock_limit_bytes", *limit}});
}

// Null when nobody is to be answered.
Result<std::unique_ptr<http::Server>> listen(const Options& options, const StatusPages& pages,
                                             Logger& log) {
  if (!options.listen) return nullptr;
  return http::Server::start(
      *options.listen, [&pages](std::string_view path) { return pages.answer(path); }, log);
}

std::optional<Daemon::TimePoint> earliest(std::optional<Daemon::TimePoint> a,
                                          std::optional<Daemon::TimePoint> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

int serve(const Options& options, const host::Host& host, const OpenEvents& open_events,
          Logger& log) {
  if (!options.log_dir.empty()) {
    log.warning("--log-dir is not used: logs go to the standard error", {{"dir", options.log_dir}});
  }
  auto signals = Signals::open();
  if (!signals) {
    log.error("cannot hear signals", {{"error", signals.error().message}});
    return 1;
  }
  const auto events = open_events();
  if (!events) {
    log.error("cannot hear the kernel's events", {{"error", events.error().message}});
    return 1;
  }
  const auto calls = kubelet::TaskQueue::open();
  if (!calls) {
    log.error("cannot make a queue", {{"error", calls.error().message}});
    return 1;
  }
  warn_of_memlock(log);
  metrics::Metrics metrics(RAILHEAD_VERSION);
  auto lock = InstanceLock::open(host.roots.run, options.handover, host.clock);
  if (!lock) {
    log.error(kLockUnknown, {{"error", lock.error().message}});
    return 1;
  }
  if (const auto other = lock->take(); is(other, ErrorCode::busy)) {
    log.warning("waiting for the agent before this one to end",
                {{"other", other.error().message}, {"seconds", options.handover.count()}});
  } else if (!other) {
    log.error(kLockUnknown, {{"error", other.error().message}});
    return 1;
  }
  const auto daemon = Daemon::start(options, host, **events, metrics, log);
  if (!daemon) {
    log.error("cannot serve", {{"error", daemon.error().message}});
    return 1;
  }
  const StatusPages pages(options, host, **daemon, **calls, metrics, log);
  const auto server = listen(options, pages, log);
  if (!server) {
    log.error("cannot listen", {{"error", server.error().message}});
    return 1;
  }
  for (;;) {
    wait({signals->fd(), (*daemon)->fd(), (*calls)->fd()}, earliest((*daemon)->due(), lock->due()),
         host.clock);
    while (const auto signal = signals->read()) {
      if (*signal != SIGHUP) {
        log.info("ending", {{"signal", *signal}});
        return 0;
      }
      (*daemon)->reload();
    }
    (*calls)->run();
    (*daemon)->turn();
    if (auto taken = lock->take_if_due(); !taken) {
      const bool two = is(taken, ErrorCode::busy);
      log.error(two ? "two agents on one node; this one ends" : kLockUnknown,
                {{"error", taken.error().message}});
      return 1;
    }
  }
}

}  // namespace

int run(const Options& given, const host::Host& host, const OpenEvents& open_events, Logger& log) {
  const auto options = with_topology(given, log);
  if (!options) return 1;
  switch (options->command) {
    case Command::serve:
      return serve(*options, host, open_events, log);
    case Command::inventory:
      return inventory(*options, host, log);
    case Command::topology:
      return topology(*options, host, log);
    case Command::check_config:
      return check_config(*options);
    case Command::explain:
      return explain(*options, host, log);
  }
  return 1;
}

}  // namespace railhead::app
