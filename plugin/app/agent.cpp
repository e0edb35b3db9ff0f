#include "plugin/app/agent.hpp"

#include <csignal>
#include <memory>

#include "plugin/app/commands.hpp"
#include "plugin/app/inputs.hpp"
#include "plugin/app/served_pool.hpp"
#include "plugin/kubelet/session.hpp"

namespace railhead::app {
namespace {

// Until the first of the signals that end the program; they are blocked from construction on, in
// every thread that is made later too.
class EndSignals {
 public:
  EndSignals() {
    sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  int wait() {
    int signal = 0;
    while (sigwait(&set_, &signal) != 0) {
    }
    return signal;
  }

 private:
  sigset_t set_{};
};

void log_selection(const pool::Selection& selection, Logger& log) {
  for (const auto& one : selection.left_out) {
    log.info("device left out", {{"device", one.device.to_string()}, {"reason", one.reason}});
  }
  for (const auto& pool : selection.pools) {
    if (pool.members.empty()) {
      log.warning("no device of this node fits the resource; it is offered with none",
                  {{"resource", pool.resource.full_name()}});
    } else {
      log.info("pool", {{"resource", pool.resource.full_name()}, {"devices", pool.members.size()}});
    }
  }
}

int serve(const Options& options, const host::Host& host, Logger& log) {
  EndSignals end_signals;
  const auto parsed = read_config(options);
  for (const auto& warning : parsed.warnings) {
    log.warning(warning, {{"file", options.config_file}});
  }
  for (const auto& error : parsed.errors) {
    log.error(error.message, {{"file", options.config_file}});
  }
  if (!parsed.errors.empty()) return 1;

  const auto inventory = look_at_node(options, host, log);
  if (!inventory) return 1;
  auto selection = pool::select(parsed.config, *inventory);
  log_selection(selection, log);

  const pool::Places places{host.roots.sysfs, host.roots.run, options.devinfo_dir};
  std::vector<std::unique_ptr<ServedPool>> pools;
  std::vector<kubelet::PoolService*> services;
  for (auto& pool : selection.pools) {
    pools.push_back(std::make_unique<ServedPool>(std::move(pool), places, log));
    services.push_back(pools.back().get());
  }
  kubelet::KubeletSession::Options session_options;
  session_options.kubelet_dir = options.kubelet_dir;
  const auto session = kubelet::KubeletSession::start(session_options, services, log);
  if (!session) {
    log.error("cannot serve kubelet", {{"error", session.error().message}});
    return 1;
  }
  const int signal = end_signals.wait();
  log.info("ending", {{"signal", signal}});
  (*session)->stop();
  return 0;
}

}  // namespace

int run(const Options& options, const host::Host& host, Logger& log) {
  switch (options.command) {
    case Command::serve:
      return serve(options, host, log);
    case Command::inventory:
      return inventory(options, host, log);
    case Command::topology:
      return topology(options, host, log);
    case Command::check_config:
      return check_config(options);
  }
  return 1;
}

}  // namespace railhead::app
