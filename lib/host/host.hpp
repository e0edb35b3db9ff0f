#pragma once
// What the domain sees of the machine. main() binds it to the Linux adapters, tests to fakes.
#include <string>

#include "base/clock.hpp"
#include "host/devlink.hpp"
#include "host/files.hpp"
#include "host/functions.hpp"
#include "host/links.hpp"
#include "host/netns.hpp"
#include "host/processes.hpp"
#include "host/rdma.hpp"

namespace railhead::host {

// Where the machine's folders stand; tests and containers put them under another root.
struct Roots {
  std::string sysfs = "/sys";
  std::string proc = "/proc";
  std::string run = "/run/railhead";        // records of this boot
  std::string cni_cache = "/var/lib/cni";   // what other CNI plugins keep
  std::string state = "/var/lib/railhead";  // what outlives a boot
  std::string cluster = "";  // where the agent that follows the cluster is; "": `run`

  [[nodiscard]] const std::string& of_cluster() const { return cluster.empty() ? run : cluster; }
};

struct Host {
  Links& links;       // of the host's namespace
  RdmaDevices& rdma;  // of the host's namespace
  Devlink& devlink;
  NetNamespaces& netns;
  Functions& functions;
  Processes& processes;
  FileLocks& locks;
  Clock& clock;
  Roots roots;
};

}  // namespace railhead::host
