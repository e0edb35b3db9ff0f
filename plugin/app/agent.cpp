#include "plugin/app/agent.hpp"

#include <algorithm>
#include <array>
#include <csignal>

#include <poll.h>

#include "plugin/app/commands.hpp"
#include "plugin/app/daemon.hpp"
#include "plugin/app/inputs.hpp"
#include "plugin/app/signals.hpp"

namespace railhead::app {
namespace {

// Until one of the files has something to read, or the time has come.
void wait(int signals, int daemon, std::optional<Daemon::TimePoint> due, const Clock& clock) {
  int timeout_ms = -1;
  if (due) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*due - clock.now());
    timeout_ms = static_cast<int>(std::max<int64_t>(0, left.count()));
  }
  std::array<pollfd, 2> fds{pollfd{signals, POLLIN, 0}, pollfd{daemon, POLLIN, 0}};
  poll(fds.data(), fds.size(), timeout_ms);
}

int serve(const Options& options, const host::Host& host, const OpenEvents& open_events,
          Logger& log) {
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
  const auto daemon = Daemon::start(options, host, **events, log);
  if (!daemon) {
    log.error("cannot serve", {{"error", daemon.error().message}});
    return 1;
  }
  for (;;) {
    wait(signals->fd(), (*daemon)->fd(), (*daemon)->due(), host.clock);
    while (const auto signal = signals->read()) {
      if (*signal != SIGHUP) {
        log.info("ending", {{"signal", *signal}});
        return 0;
      }
      (*daemon)->reload();
    }
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
  }
  return 1;
}

}  // namespace railhead::app
