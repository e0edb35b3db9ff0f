#pragma once
#include <vector>

#include "plugin/app/agent.hpp"
#include "plugin/metrics/device_counters.hpp"

namespace railhead::app {

// Which devices' counters and holders are told, by id: PFs with RDMA, devices that a container
// holds, RDMA or not, those that have gone included, and with `all` every RDMA device of the node.
// A container that was given several shares of a device holds it once.
[[nodiscard]] std::vector<metrics::CountedDevice> counted_devices(const Agent::State& state,
                                                                  bool all);

}  // namespace railhead::app
