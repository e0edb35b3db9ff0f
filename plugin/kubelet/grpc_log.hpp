#pragma once
#include "base/log.hpp"

namespace railhead::kubelet {

// What gRPC itself has to say is logged so from now on, for the whole process: gRPC knows one
// function for it, and calls it from threads of its own until the process ends.
void log_grpc_through(const Logger& log);

}  // namespace railhead::kubelet
