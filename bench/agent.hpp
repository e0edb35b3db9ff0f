#pragma once
#include "bench/figures.hpp"

namespace railhead::bench {

// railhead-agent on a generated mlx5-like sysfs tree of 8 PFs with `vfs` VFs each, before a kubelet
// stand-in in this process.
struct AgentRun {
  std::string programs;  // the folder of the binaries
  unsigned vfs = 127;
  unsigned pools = 8;  // 8: one per PF; 1: one for all
  unsigned rounds = 15;
  bool cdi = false;  // with --use-cdi
};

// From exec to the last pool's first ListAndWatch message at kubelet: "scan_8x127_8pools_ms".
[[nodiscard]] Figure measure_scan(const AgentRun& run, std::optional<double> goal);
// The same with CDI, "scan_8x127_8pools_cdi_ms", held against 1.2 times the same without, which is
// its floor; both in turns.
[[nodiscard]] Figure measure_scan_with_cdi(const AgentRun& run);
// One Allocate of 8 RDMA devices, as kubelet sees it: "allocate_8_ms", or "allocate_8_cdi_ms"; and
// one PreStartContainer of a container that has 8: "prestart_8_ms", "prestart_8_cdi_ms".
// Without CDI also the same with GetPreferredAllocation before it, for which the agent asks kubelet
// for the pods' GPUs, and the agent's resident memory after these, and after 10 000.
[[nodiscard]] std::vector<Figure> measure_allocate(const AgentRun& run);

}  // namespace railhead::bench
