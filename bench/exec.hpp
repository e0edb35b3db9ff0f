#pragma once
#include "bench/figures.hpp"

namespace railhead::bench {

// Start to end of the CNI binary asked for VERSION, and of a static C program that only prints a
// line, in turns. `programs` is the folder of the binaries.
[[nodiscard]] std::vector<Figure> measure_exec(const std::string& programs, unsigned rounds);

}  // namespace railhead::bench
