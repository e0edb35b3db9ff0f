#pragma once
#include "bench/figures.hpp"

namespace railhead::bench {

// From the SIGTERM of the agent that serves until kubelet has the devices from the standby beside
// it: "handover_ms" where kubelet is registered with, "handover_registry_ms" where it greets
// sockets of plugins_registry, as the stand-in does at once and a real kubelet within half a
// second.
[[nodiscard]] std::vector<Figure> measure_handover(const std::string& programs, unsigned rounds);

// From exec to kubelet's first list of the others' devices while one PF of eight does not answer:
// "start_with_hung_pf_ms".
[[nodiscard]] Figure measure_start_with_hung_pf(const std::string& programs, unsigned rounds);

// One reading of a node of 8 PFs with 127 VFs, all with RDMA devices whose driver takes 0.3 ms to
// tell of a port: "scan_1016_rdma_ms".
[[nodiscard]] Figure measure_scan_with_rdma(unsigned rounds);

}  // namespace railhead::bench
