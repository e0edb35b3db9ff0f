#include "plugin/health/ports.hpp"

namespace railhead::health {

Ports ports_of(const device::Inventory& inventory) {
  Ports ports;
  for (const auto& function : inventory.functions()) {
    for (const auto& rdma : function.rdma) {
      if (!rdma.in_host_namespace) continue;
      const bool infiniband = rdma.link_layer == device::LinkLayer::infiniband;
      if (function.is_vf()) {
        if (infiniband) ports.untold_vfs.emplace(rdma.name, rdma.ports);
        continue;
      }
      ports.of_pfs.push_back(rdma.name);
      if (infiniband || function.netdevs.empty()) ports.untold_pfs.emplace(rdma.name, rdma.ports);
    }
  }
  return ports;
}

}  // namespace railhead::health
