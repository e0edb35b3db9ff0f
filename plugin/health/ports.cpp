#include "plugin/health/ports.hpp"

namespace railhead::health {

Ports ports_of(const device::Inventory& inventory, const std::set<std::string>& vfs) {
  Ports ports;
  for (const auto& function : inventory.functions()) {
    for (const auto& rdma : function.rdma) {
      if (!rdma.in_host_namespace) continue;
      const bool infiniband = rdma.link_layer == device::LinkLayer::infiniband;
      if (function.is_vf()) {
        if (infiniband && vfs.contains(function.address.to_string())) {
          ports.functions_of_vfs.insert(function.address);
        }
        continue;
      }
      ports.of_pfs.push_back(&rdma);
      if (infiniband || function.netdevs.empty()) ports.untold.insert(rdma.name);
    }
  }
  return ports;
}

}  // namespace railhead::health
