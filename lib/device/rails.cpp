#include "device/rails.hpp"

#include "device/assignment.hpp"
#include "device/pcie.hpp"

namespace railhead::device {

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

}  // namespace railhead::device
