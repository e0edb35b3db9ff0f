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
};

// From exec to the last pool's first ListAndWatch message at kubelet: "scan_8x127_8pools_ms".
[[nodiscard]] Figure measure_scan(const AgentRun& run, std::optional<double> goal);
// One Allocate of 8 RDMA devices, as kubelet sees it, and the agent's resident memory after all.
[[nodiscard]] std::vector<Figure> measure_allocate(const AgentRun& run);

}  // namespace railhead::bench
