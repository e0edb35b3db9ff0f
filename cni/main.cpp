// railhead, the CNI program: gathers what came from outside and binds the ports to Linux.
#include <unistd.h>

#include "cni/app.hpp"
#include "cni/streams.hpp"
#include "linux/file_locks.hpp"
#include "linux/netns.hpp"
#include "linux/processes.hpp"
#include "netlink/linux_devlink.hpp"
#include "netlink/linux_links.hpp"
#include "netlink/linux_rdma.hpp"

namespace {

using namespace railhead;

Result<cni::Answer> answer_on_linux(const cnispec::Environment& environment) {
  const auto input = cni::read_standard_input();
  if (!input) return pass(input);
  SystemClock clock;
  linux::LinuxProcesses processes(clock);
  linux::LinuxFileLocks locks(clock);
  const auto links = netlink::LinuxLinks::open();
  if (!links) return pass(links);
  const auto rdma = netlink::LinuxRdma::open();
  if (!rdma) return pass(rdma);
  const auto devlink = netlink::LinuxDevlink::open();
  if (!devlink) return pass(devlink);
  const auto netns = linux::LinuxNetns::open({netlink::LinuxLinks::open, netlink::LinuxRdma::open});
  if (!netns) return pass(netns);
  host::Host host{**links, **rdma, **devlink, **netns, processes, locks, clock, {}};
  return cni::run(environment, *input, host);
}

}  // namespace

int main(int argc, char** argv, char** envp) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  cnispec::Environment environment;
  for (; *envp; ++envp) environment.emplace_back(*envp);

  auto answer = cni::answer_alone(arguments, environment);
  if (!answer) {
    auto done = answer_on_linux(environment);
    answer = done ? *done : cni::failure(cnispec::to_cni_error(done.error()));
  }
  cni::write_all(STDERR_FILENO, answer->error_output);
  return cni::write_all(STDOUT_FILENO, answer->output) ? answer->exit_code : 1;
}
