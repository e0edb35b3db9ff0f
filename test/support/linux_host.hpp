#pragma once
// The machine itself as host::Host, as the programs bind it.
#include <memory>

#include "host/host.hpp"
#include "linux/file_locks.hpp"
#include "linux/functions.hpp"
#include "linux/netns.hpp"
#include "linux/processes.hpp"
#include "netlink/linux_devlink.hpp"
#include "netlink/linux_links.hpp"
#include "netlink/linux_rdma.hpp"
#include "test/support/must.hpp"

namespace railhead::test {

struct LinuxHost {
  SystemClock clock;
  linux::LinuxProcesses processes{clock};
  linux::LinuxFileLocks locks{clock};
  linux::LinuxFunctions functions;
  std::unique_ptr<host::Links> links = must(netlink::LinuxLinks::open());
  std::unique_ptr<host::RdmaDevices> rdma = must(netlink::LinuxRdma::open());
  std::unique_ptr<host::Devlink> devlink = must(netlink::LinuxDevlink::open());
  std::unique_ptr<host::NetNamespaces> netns =
      must(linux::LinuxNetns::open({netlink::LinuxLinks::open, netlink::LinuxRdma::open}));
  host::Host host{*links, *rdma, *devlink, *netns, functions, processes, locks, clock, {}};

  // With another namespace port, where a test puts itself between.
  host::Host host_with(host::NetNamespaces& namespaces, const std::string& run_root) {
    return {*links,    *rdma, *devlink, namespaces,       functions,
            processes, locks, clock,    {.run = run_root}};
  }
};

}  // namespace railhead::test
