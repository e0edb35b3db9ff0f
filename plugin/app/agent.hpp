#pragma once
#include "plugin/app/options.hpp"

namespace railhead::app {

// Does what the command line asks and gives the program's exit code. `serve` lasts until SIGTERM,
// SIGINT, SIGQUIT or SIGHUP comes; it must be called before other threads are there, because it
// blocks these signals.
[[nodiscard]] int run(const Options& options, const host::Host& host, Logger& log);

}  // namespace railhead::app
