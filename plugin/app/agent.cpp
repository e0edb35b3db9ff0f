#include "plugin/app/agent.hpp"

#include <algorithm>
#include <csignal>
#include <initializer_list>
#include <vector>

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

// Until one of the files has something to read, or the time has come.
void wait(std::initializer_list<int> files, std::optional<Daemon::TimePoint> due,
          const Clock& clock) {
  std::vector<pollfd> fds;
  for (const int fd : files) fds.push_back({fd, POLLIN, 0});
  poll(fds.data(), fds.size(), poll_timeout_ms(due, clock.now()));
}

// True when it is this agent's turn to serve the node. Until the one before it has ended this one
// serves nothing: kubelet forgets a resource when the one of two that registered it ends.
Result<bool> await_turn(InstanceLock& lock, const Options& options, Signals& signals,
                        const Clock& clock, Logger& log) {
  constexpr std::chrono::milliseconds kBetweenTries{100};  // flock(2) tells nobody when it is free
  const auto end = clock.now() + options.handover;
  auto taken = lock.take();
  if (is(taken, ErrorCode::busy)) {
    log.warning("waiting for the agent before this one to end",
                {{"other", taken.error().message}, {"seconds", options.handover.count()}});
  }
  while (is(taken, ErrorCode::busy) && clock.now() < end) {
    wait({signals.fd()}, std::min(clock.now() + kBetweenTries, end), clock);
    while (const auto signal = signals.read()) {
      if (*signal != SIGHUP) {
        log.info("ending", {{"signal", *signal}});
        return false;
      }
    }
    taken = lock.take();
  }
  if (is(taken, ErrorCode::busy)) return pass(taken, "two agents on one node; this one ends");
  if (!taken) return pass(taken, "cannot tell whether another agent serves this node");
  return true;
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
  auto lock = InstanceLock::open(host.roots.run);
  const auto turn =
      lock ? await_turn(*lock, options, *signals, host.clock, log) : Result<bool>(pass(lock));
  if (!turn) {
    log.error("cannot serve", {{"error", turn.error().message}});
    return 1;
  }
  if (!*turn) return 0;
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
    wait({signals->fd(), (*daemon)->fd(), (*calls)->fd()}, (*daemon)->due(), host.clock);
    while (const auto signal = signals->read()) {
      if (*signal != SIGHUP) {
        log.info("ending", {{"signal", *signal}});
        return 0;
      }
      (*daemon)->reload();
    }
    (*calls)->run();
    (*daemon)->turn();
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
