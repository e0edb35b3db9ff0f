#include "plugin/app/agent.hpp"

#include <csignal>
#include <cstdio>
#include <memory>

#include "device/print.hpp"
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

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

config::Parsed read_config(const Options& options) {
  const auto text = host::read_file(options.config_file);
  if (!text) return {{}, {text.error()}, {}};
  return config::parse(*text, options.resource_prefix);
}

int check_config(const Options& options) {
  const auto parsed = read_config(options);
  for (const auto& warning : parsed.warnings) print("warning: " + warning + '\n');
  for (const auto& error : parsed.errors) print("error: " + error.message + '\n');
  if (!parsed.errors.empty()) return 1;
  for (const auto& resource : parsed.config.resources) {
    print(fmt::format("{}: {} selector{}\n", resource.full_name(), resource.selectors.size(),
                      resource.selectors.size() == 1 ? "" : "s"));
  }
  return 0;
}

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

std::optional<device::Inventory> look_at_node(const Options& options, const host::Host& host,
                                              Logger& log) {
  auto inventory = device::scan(host, options.scan);
  if (!inventory) {
    log.error("cannot look at the node's devices", {{"error", inventory.error().message}});
    return std::nullopt;
  }
  for (const auto& warning : inventory->warnings()) {
    log.warning("cannot read all of the node's devices", {{"error", warning}});
  }
  return std::move(*inventory);
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
  if (options.command == Command::serve) return serve(options, host, log);
  if (options.command == Command::check_config) return check_config(options);
  const auto inventory = look_at_node(options, host, log);
  if (!inventory) return 1;
  print(options.command == Command::inventory ? device::format_tree(*inventory)
                                              : device::format_matrix(*inventory));
  return 0;
}

}  // namespace railhead::app
