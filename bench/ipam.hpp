#pragma once
#include "bench/figures.hpp"

namespace railhead::bench {

// The addresses of a pod over eight rails, on a node that has `pods` such pods already: of each
// address, in memory, "ipam_rails_ms" (with pods: "ipam_rails_27_pods_ms"); and of the pod on a
// disk, with its flushes, "ipam_commit_ms".
[[nodiscard]] std::vector<Figure> measure_ipam(unsigned rounds, unsigned pods);

}  // namespace railhead::bench
