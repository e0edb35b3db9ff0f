#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "device/inventory.hpp"
#include "host/host.hpp"
#include "plugin/app/cluster_options.hpp"
#include "plugin/grant/cdi.hpp"
#include "plugin/http/address.hpp"
#include "plugin/ledger/ledger.hpp"

namespace railhead::app {

enum class Command {
  serve,
  inventory,
  topology,
  check_config,
  explain,
  probe,
  status,
  ipam_check,
  ipam_import
};

// What the program ends with; --help tells it.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,            // what was to be done failed
  kWrongUse = 2,          // the command line
  kConfigRefused = 3,     // nothing of the configuration can be used
  kResourcesDropped = 4,  // check-config: some resources cannot be used, the others can
};

// Of ipam check and ipam import.
struct IpamOptions {
  std::vector<std::string> files;
  std::string nodes_file;          // check: how a node's index is known
  std::vector<std::string> nodes;  // check: NAME=ADDRESS
  std::string held_file;           // import: addresses that nv-ipam's leases hold
};

// The command line as values.
struct Options {
  Command command = Command::serve;
  std::string config_file = "/etc/pcidp/config.json";  // or a folder, see config/files.hpp
  std::vector<std::string> checked_files;              // check-config: taken together
  std::string resource_prefix = "intel.com";
  std::string kubelet_dir = "/var/lib/kubelet";
  std::string devinfo_dir = "/var/run/k8s.cni.cncf.io/devinfo/dp";
  bool use_cdi = false;  // containers get CDI devices, not device nodes
  grant::CdiOptions cdi;
  host::Roots roots;
  std::string state_dir = "/var/lib/railhead";  // what outlives a boot
  // Where probes ask, each a process of its own. "": in /run/railhead-agent where that folder is,
  // which only this agent's container has, else in the run folder.
  std::string probe_socket;
  std::string pod_name;            // its own: for who waits for the lock, and to see it listed
  ledger::Ledger::Options ledger;  // tests have less time
  device::ScanOptions scan;
  ClusterOptions cluster;
  std::string topology_file;  // "": sysfs tells; read into scan.topology by run()
  bool json = false;          // inventory, topology, status
  std::string probe;          // "live" or "ready"
  IpamOptions ipam;
  std::string svg_file;  // topology: where the drawing goes, "-" for the standard output
  std::optional<http::Address> listen;  // for HTTP; absent: nowhere
  bool all_counters = false;            // of RDMA devices that no pod holds, too
  // As sriov-network-device-plugin's DaemonSet gives it; not used, logs go to the standard error.
  std::string log_dir;
  std::vector<std::string> warnings;  // of the command line, for the log
  LogLevel log_level = LogLevel::info;
  Logger::Format log_format = Logger::Format::text;
};

}  // namespace railhead::app
