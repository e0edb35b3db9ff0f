#pragma once
#include "plugin/app/run.hpp"

namespace railhead::app {

// The agent from its start to its end: a standby first, which serves the node as soon as no other
// agent does. Gives the program's exit code, or ends the program itself.
[[nodiscard]] int serve(const Options& options, const host::Host& host, const Machine& machine,
                        Logger& log);

}  // namespace railhead::app
