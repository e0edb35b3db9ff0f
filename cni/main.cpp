// railhead, the CNI program: gathers what came from outside and binds the ports to Linux.
#include <csignal>

#include <malloc.h>
#include <unistd.h>

#include "cni/admin/admin.hpp"
#include "cni/app.hpp"
#include "cni/input.hpp"
#include "cni/install/install.hpp"
#include "linux/file_locks.hpp"
#include "linux/functions.hpp"
#include "linux/netns.hpp"
#include "linux/processes.hpp"
#include "netlink/linux_devlink.hpp"
#include "netlink/linux_events.hpp"
#include "netlink/linux_links.hpp"
#include "netlink/linux_rdma.hpp"

namespace {

using namespace railhead;

// Binds the ports, and does `work` with them.
template <class Work>
Result<cni::Answer> on_linux(Work work) {
  SystemClock clock;
  linux::LinuxProcesses processes(clock);
  linux::LinuxFileLocks locks(clock);
  linux::LinuxFunctions functions;
  const auto links = netlink::LinuxLinks::open();
  if (!links) return pass(links);
  const auto rdma = netlink::LinuxRdma::open();
  if (!rdma) return pass(rdma);
  const auto devlink = netlink::LinuxDevlink::open();
  if (!devlink) return pass(devlink);
  const auto netns = linux::LinuxNetns::open({netlink::LinuxLinks::open, netlink::LinuxRdma::open});
  if (!netns) return pass(netns);
  host::Host host{**links, **rdma, **devlink, **netns, functions, processes, locks, clock, {}};
  return work(host);
}

Result<cni::Answer> answer_runtime(const cnispec::Environment& environment) {
  const auto input = cni::read_standard_input();
  if (!input) return pass(input);
  return on_linux([&](host::Host& host) { return cni::run(environment, *input, host); });
}

// As the first process of a container it would else not hear it. It may end anywhere.
void end_on_sigterm() {
  std::signal(SIGTERM, [](int) { _exit(0); });  // NOLINT(concurrency-mt-unsafe,cert-err33-c)
}

cni::Answer answer_install(const cni::InstallCommand& command) {
  end_on_sigterm();
  SystemClock clock;
  Logger log(STDERR_FILENO, LogLevel::info);
  return cni::run_install(command, {"/proc/self/exe", clock, log});
}

Result<cni::Answer> answer_admin(const cni::AdminCommand& command,
                                 const cnispec::Environment& environment) {
  end_on_sigterm();
  return on_linux([&](host::Host& host) {
    return cni::run_admin(command, host, environment, netlink::LinuxEvents::open);
  });
}

// An exception is a bug or the end of memory: the runtime is told as of any other error.
cni::Answer answer(const std::vector<std::string>& arguments,
                   const cnispec::Environment& environment) {
  try {
    const auto admin = cni::read_admin(arguments);
    if (admin.answer) return *admin.answer;
    if (admin.command) {
      const auto done = answer_admin(*admin.command, environment);
      return done ? *done : cni::Answer{1, {}, "railhead: " + done.error().message + "\n"};
    }
    const auto install = cni::read_install(arguments);
    if (install.answer) return *install.answer;
    if (install.command) return answer_install(*install.command);
    if (auto alone = cni::answer_alone(arguments, environment)) return *alone;
    auto done = answer_runtime(environment);
    return done ? *done : cni::failure(done.error());
  } catch (const std::exception& bug) {
    return cni::failure({ErrorCode::internal, 0, bug.what()});
  }
}

}  // namespace

int main(int argc, char** argv, char** envp) {
  // An arena of its own for the one thread beside this one would cost more than sharing.
  mallopt(M_ARENA_MAX, 1);  // NOLINT(concurrency-mt-unsafe): there is no other thread yet
  // A runtime that is gone must not end what is half done.
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT(concurrency-mt-unsafe,cert-err33-c)
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  cnispec::Environment environment;
  for (; *envp; ++envp) environment.emplace_back(*envp);

  const auto told = answer(arguments, environment);
  std::ignore = host::write_all(STDERR_FILENO, told.error_output);
  return host::write_all(STDOUT_FILENO, told.output) ? told.exit_code : 1;
}
