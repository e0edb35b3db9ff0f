// railhead-agent: binds the Linux adapters to what the program does.
#include <malloc.h>
#include <unistd.h>

#include "linux/file_locks.hpp"
#include "linux/functions.hpp"
#include "linux/netns.hpp"
#include "linux/processes.hpp"
#include "netlink/linux_devlink.hpp"
#include "netlink/linux_events.hpp"
#include "netlink/linux_links.hpp"
#include "netlink/linux_rdma.hpp"
#include "plugin/app/command_line.hpp"
#include "plugin/app/run.hpp"
#include "plugin/kubelet/grpc_log.hpp"
#include "verbs/port_events.hpp"

namespace {

using namespace railhead;

int run_on_linux(const app::Options& options, Logger& log) {
  const auto links = netlink::LinuxLinks::open();
  const auto rdma = netlink::LinuxRdma::open();
  const auto devlink = netlink::LinuxDevlink::open();
  const auto netns = linux::LinuxNetns::open({netlink::LinuxLinks::open, netlink::LinuxRdma::open});
  for (const auto* error :
       {links ? nullptr : &links.error(), rdma ? nullptr : &rdma.error(),
        devlink ? nullptr : &devlink.error(), netns ? nullptr : &netns.error()}) {
    if (!error) continue;
    log.error("cannot talk to the kernel", {{"error", error->message}});
    return 1;
  }
  SystemClock clock;
  linux::LinuxProcesses processes(clock);
  linux::LinuxFileLocks locks(clock);
  linux::LinuxFunctions functions;
  const host::Host host{**links,   **rdma, **devlink, **netns,      functions,
                        processes, locks,  clock,     options.roots};
  const app::Machine machine{netlink::LinuxEvents::open,
                             {netlink::LinuxLinks::open, netlink::LinuxRdma::open,
                              netlink::LinuxDevlink::open, verbs::open_port_events}};
  return app::run(options, host, machine, log);
}

}  // namespace

int main(int argc, char** argv) {
  // Each thread that reads hardware would have an arena of its own, and keep it.
  mallopt(M_ARENA_MAX, 2);
  const auto parsed = app::parse_command_line(argc, argv);
  if (const auto* exit = std::get_if<app::Exit>(&parsed)) return exit->code;
  const auto& options = std::get<app::Options>(parsed);
  Logger log(STDERR_FILENO, options.log_level, options.log_format);
  kubelet::log_grpc_through(log);
  for (const auto& warning : options.warnings) log.warning(warning);
  try {
    return run_on_linux(options, log);
  } catch (const std::exception& bug) {  // or the end of memory
    log.error("ended by a bug", {{"error", bug.what()}});
    return 1;
  }
}
