#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "host/files.hpp"

namespace railhead::metrics {

struct Counter {
  std::string name;  // as sysfs has it: "port_xmit_wait", "out_of_sequence"
  uint64_t value = 0;
  friend bool operator==(const Counter&, const Counter&) = default;
};

// A port of an RDMA device, as sysfs shows it (Documentation/ABI/stable/sysfs-class-infiniband).
struct PortCounters {
  uint32_t port = 0;         // from 1
  std::optional<int> state;  // enum ib_port_state: 1 DOWN, 2 INIT, 3 ARMED, 4 ACTIVE
  std::vector<Counter>
      port_counters;                 // counters/: the InfiniBand specification's; not every driver
  std::vector<Counter> hw_counters;  // hw_counters/: the driver's own
  friend bool operator==(const PortCounters&, const PortCounters&) = default;
};

// Of the folder infiniband/<name>, by port. What is no counter (`lifespan`, which is a setting, and
// gauges of some drivers) and what the device does not tell is left out. not_found: the device is
// gone, or is not in the namespace that this sysfs shows.
[[nodiscard]] Result<std::vector<PortCounters>> read_port_counters(
    const host::Directory& rdma_device);

}  // namespace railhead::metrics
