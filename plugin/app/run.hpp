#pragma once
#include <functional>
#include <memory>

#include "host/events.hpp"
#include "plugin/app/options.hpp"
#include "plugin/node/scanner.hpp"

namespace railhead::app {

// What only the service needs of the machine.
struct Machine {
  // Opens what tells of the kernel's events.
  std::function<Result<std::unique_ptr<host::Events>>()> events;
  node::Adapters adapters;
};

// Does what the command line asks and gives the program's exit code. `serve` lasts until SIGTERM,
// SIGINT or SIGQUIT comes; it must be called before other threads are there, because it blocks
// these signals and SIGHUP.
[[nodiscard]] int run(const Options& options, const host::Host& host, const Machine& machine,
                      Logger& log);

}  // namespace railhead::app
