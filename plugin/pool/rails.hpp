#pragma once
#include <vector>

#include "plugin/pool/select.hpp"

namespace railhead::pool {

// The ports (PFs, or functions without one) of these members, as rails: what was known keeps its
// number, also without members; the others follow in the order of device/rails.hpp.
[[nodiscard]] std::vector<PciAddress> order_rails(const std::vector<Member>& members,
                                                  const device::Inventory& inventory,
                                                  std::vector<PciAddress> known);

// One pool per rail, named after it.
[[nodiscard]] std::vector<Pool> split_into_rails(Pool pool, const std::vector<PciAddress>& rails);

}  // namespace railhead::pool
