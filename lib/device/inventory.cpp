#include "device/inventory.hpp"

#include <algorithm>

namespace railhead::device {

bool GpuPredicate::takes(const PciFunction& function) const {
  const auto has = [](const auto& list, const auto& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
  };
  return has(classes, function.pci_class >> 8) &&
         (vendors.empty() || has(vendors, function.vendor));
}

Inventory::Inventory(std::vector<PciFunction> functions,
                     std::optional<host::RdmaNetnsMode> rdma_netns_mode,
                     std::vector<std::string> warnings)
    : functions_(std::move(functions)),
      rdma_netns_mode_(rdma_netns_mode),
      warnings_(std::move(warnings)) {
  std::sort(functions_.begin(), functions_.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
}

const PciFunction* Inventory::find(const PciAddress& address) const {
  const auto at = std::lower_bound(
      functions_.begin(), functions_.end(), address,
      [](const auto& function, const auto& key) { return function.address < key; });
  return at != functions_.end() && at->address == address ? &*at : nullptr;
}

}  // namespace railhead::device
