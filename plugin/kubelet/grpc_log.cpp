#include "plugin/kubelet/grpc_log.hpp"

#include <atomic>

#include <grpc/support/log.h>

#include "base/text.hpp"

namespace railhead::kubelet {
namespace {

// Never freed, the former ones neither: a thread of gRPC's may be using it.
struct Sink {
  Logger log;
  Sink* former;
};
std::atomic<Sink*> sink;

void write(gpr_log_func_args* args) {
  Logger& log = sink.load()->log;
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
  sink = new Sink{log, sink};
  gpr_set_log_function(write);
}

}  // namespace railhead::kubelet
