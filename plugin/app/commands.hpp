#pragma once
// The subcommands that print something and end. Each gives the program's exit code.
#include "plugin/app/options.hpp"

namespace railhead::app {

[[nodiscard]] int check_config(const Options& options);
// Of health it knows what the node and the records show; of PCI errors the serving agent is told
// alone.
[[nodiscard]] int explain(const Options& options, const host::Host& host, Logger& log);
[[nodiscard]] int inventory(const Options& options, const host::Host& host, Logger& log);
[[nodiscard]] int topology(const Options& options, const host::Host& host, Logger& log);

}  // namespace railhead::app
