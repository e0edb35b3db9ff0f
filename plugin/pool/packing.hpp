#pragma once
// Ports where no GPU tells which: close together, or in a configured order.
#include <vector>

#include "plugin/pool/ports.hpp"

namespace railhead::pool {

// Some ports are closer together than others: by NUMA node, host bridge or PCIe switch.
[[nodiscard]] bool tells_neighbours(const Ports& ports);

// Each chooses `number` offers more; as many are free.

// Of the fewest NUMA nodes, host bridges and PCIe switches, beside what is chosen already; of
// equals where the pool's offers are least used, then the lowest rails. One of each port before a
// second of any.
[[nodiscard]] std::vector<size_t> choose_neighbours(Ports& ports, size_t number);

[[nodiscard]] std::vector<size_t> choose_by_order(Ports& ports, config::Order order, size_t number);

}  // namespace railhead::pool
