#include "device/rails.hpp"

#include <algorithm>
#include <limits>

#include "device/assignment.hpp"
#include "device/pcie.hpp"
#include "device/port_name.hpp"

namespace railhead::device {
namespace {

using Ports = std::vector<const PciFunction*>;

bool is_same_slot(const PciAddress& a, const PciAddress& b) {
  return a.domain == b.domain && a.bus == b.bus && a.device == b.device;
}

uint32_t plane_of(const PciFunction& port) {
  for (const auto& netdev : port.netdevs) {
    const auto name =
        netdev.phys_port_name ? PortName::parse(*netdev.phys_port_name) : std::optional<PortName>();
    if (name && name->is_uplink()) return *name->port;
  }
  return std::numeric_limits<uint32_t>::max();
}

std::vector<Ports> nics_of(const Ports& ports) {
  std::vector<Ports> nics;
  for (const auto* port : ports) {
    if (nics.empty() || !is_same_slot(nics.back().front()->address, port->address)) {
      nics.emplace_back();
    }
    nics.back().push_back(port);
  }
  for (auto& nic : nics)
    std::ranges::stable_sort(nic, {}, [](const auto* p) { return plane_of(*p); });
  return nics;
}

}  // namespace

const PciFunction& port_of(const PciFunction& function, const Inventory& inventory) {
  const auto* pf = function.pf ? inventory.find(*function.pf) : nullptr;
  return pf ? *pf : function;
}

std::vector<size_t> rail_order(const std::vector<const PciFunction*>& ports,
                               const std::vector<const PciFunction*>& gpus) {
  std::vector<std::vector<Cost>> costs;
  for (size_t g = 0; g < gpus.size(); ++g) {
    auto& row = costs.emplace_back();
    for (size_t p = 0; p < ports.size(); ++p) {
      // Squares, so that among equals the pairs do not cross: the first GPU's is the first port.
      const auto apart = static_cast<int64_t>(g) - static_cast<int64_t>(p);
      row.push_back({0, static_cast<int64_t>(distance(*gpus[g], *ports[p])), 0, apart * apart});
    }
  }
  std::vector<size_t> order;
  std::vector<bool> ordered(ports.size(), false);
  for (const auto& port : assign(costs)) {
    if (!port) continue;
    order.push_back(*port);
    ordered[*port] = true;
  }
  for (size_t p = 0; p < ports.size(); ++p) {
    if (!ordered[p]) order.push_back(p);
  }
  return order;
}

RailMap rails_of(const Ports& ports, const Ports& gpus) {
  auto nics = nics_of(ports);
  if (gpus.empty() || nics.size() < gpus.size()) {
    nics.clear();
    for (const auto* port : ports) nics.push_back({port});
  }
  Ports first;
  for (const auto& nic : nics) first.push_back(nic.front());
  RailMap rails;
  for (const auto place : rail_order(first, gpus)) {
    auto& rail = rails.emplace_back();
    for (const auto* port : nics[place]) rail.push_back(port->address);
  }
  return rails;
}

}  // namespace railhead::device
