#include "plugin/kubelet/grpc_log.hpp"

#include <atomic>

#include <grpc/support/log.h>

#include "base/text.hpp"

namespace railhead::kubelet {
namespace {

// Never freed: a thread of gRPC's may be using it.
std::atomic<Logger*> grpc_logger;

void write(gpr_log_func_args* args) {
  Logger& log = *grpc_logger.load();
  const std::string_view file = args->file ? args->file : "";
  const auto source = fmt::format("{}:{}", file.substr(file.rfind('/') + 1), args->line);
  const auto message = fmt::format("gRPC: {}", trim(args->message ? args->message : ""));
  switch (args->severity) {
    case GPR_LOG_SEVERITY_DEBUG:
      return log.debug(message, {{"source", source}});
    case GPR_LOG_SEVERITY_INFO:
      return log.info(message, {{"source", source}});
    case GPR_LOG_SEVERITY_ERROR:
      return log.error(message, {{"source", source}});
  }
}

}  // namespace

void log_grpc_through(const Logger& log) {
  grpc_logger = new Logger(log);
  gpr_set_log_function(write);
}

}  // namespace railhead::kubelet
