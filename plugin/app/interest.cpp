#include "plugin/app/interest.hpp"

#include <algorithm>

#include "device/sub_functions.hpp"
#include "plugin/health/ports.hpp"

namespace railhead::app {
namespace {

// In exclusive mode the devices of a shared pool cannot be used by ordinary pods.
bool needs_shared_mode(const config::Config& config) {
  return std::ranges::any_of(config.resources, [](const config::Resource& resource) {
    return resource.sharing && !resource.sharing->host_network_only;
  });
}

}  // namespace

NodeWatch::Interest interest_of(const config::Config& config, const device::ScanOptions& scan) {
  NodeWatch::Interest interest;
  interest.scan = pool::scan_options(config, scan);
  interest.rescan = config.rescan;
  interest.rdma_mode = needs_shared_mode(config);
  return interest;
}

// RDMA netlink tells of no port that goes down. Verbs do, of PFs that can be opened; with a RoCE
// port its netdev's carrier goes too; what is left is asked now and then. Of VFs only where a pod
// depends on it: a log line is not worth the asking.
NodeWatch::Interest interest_of(const config::Config& config, const device::ScanOptions& scan,
                                const device::Inventory& inventory,
                                const pool::Selection& selection,
                                const ledger::Holdings& holdings) {
  auto interest = interest_of(config, scan);
  // A pod may have one of a resource that is configured no more.
  interest.scan.sub_functions |= std::ranges::any_of(
      holdings.all(), [](const auto& one) { return device::is_sub_function(one.device); });
  bool matters = false;
  std::set<std::string> vfs;
  for (const auto& pool : selection.pools) {
    matters |= pool.resource.health.rdma != config::Concern::ignore;
    if (pool.resource.health.rdma != config::Concern::require) continue;
    for (const auto& member : pool.members) vfs.insert(member.id);
  }
  if (!matters) return interest;
  const auto ports = health::ports_of(inventory, vfs);
  for (const auto* device : ports.of_pfs) interest.ports.insert(device->name);
  interest.untold = ports.untold;
  interest.scan.ports_of = ports.functions_of_vfs;
  interest.polls_vfs = !ports.functions_of_vfs.empty();
  return interest;
}

}  // namespace railhead::app
