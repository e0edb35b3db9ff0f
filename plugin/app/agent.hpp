#pragma once
#include <functional>
#include <memory>

#include "host/events.hpp"
#include "plugin/app/options.hpp"

namespace railhead::app {

// Opens what tells of the kernel's events; only the service needs it.
using OpenEvents = std::function<Result<std::unique_ptr<host::Events>>()>;

// Does what the command line asks and gives the program's exit code. `serve` lasts until SIGTERM,
// SIGINT or SIGQUIT comes; it must be called before other threads are there, because it blocks
// these signals and SIGHUP.
[[nodiscard]] int run(const Options& options, const host::Host& host, const OpenEvents& open_events,
                      Logger& log);

}  // namespace railhead::app
