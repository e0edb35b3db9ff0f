#include "plugin/health/ports.hpp"

namespace railhead::health {

Ports ports_of(const device::Inventory& inventory) {
  Ports ports;
  for (const auto& function : inventory.functions()) {
    if (function.is_vf()) continue;
    for (const auto& rdma : function.rdma) {
      if (!rdma.in_host_namespace) continue;
      ports.devices.push_back(rdma.name);
      if (!function.netdevs.empty()) ports.with_netdev.insert(rdma.name);
    }
  }
  return ports;
}

bool ports_changed(const device::Inventory& inventory, const host::RdmaLink& now) {
  for (const auto& function : inventory.functions()) {
    for (const auto& rdma : function.rdma) {
      if (rdma.in_host_namespace && rdma.name == now.name) return rdma.ports != now.ports;
    }
  }
  return true;
}

}  // namespace railhead::health
