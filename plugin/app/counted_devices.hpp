#pragma once
#include <vector>

#include "plugin/app/daemon.hpp"
#include "plugin/kubelet/pod_resources.hpp"
#include "plugin/metrics/device_counters.hpp"

namespace railhead::app {

// Which devices' counters are told, by id: PFs with RDMA, devices that a container holds, and with
// `all` every RDMA device of the node. A container that was given several shares of a device holds
// it once.
[[nodiscard]] std::vector<metrics::CountedDevice> counted_devices(
    const Daemon::State& state, const std::vector<kubelet::PodDevices>& pods, bool all);

}  // namespace railhead::app
