#pragma once
#include <optional>
#include <string>
#include <vector>

#include "bench/figures.hpp"

namespace railhead::bench {

// What a program asks of the kernel, as strace sees it.
struct Counts {
  unsigned newlinks = 0;  // RTM_NEWLINK sent: each changes a link
  unsigned dumps = 0;     // netlink questions for a whole table
  unsigned messages = 0;  // netlink messages sent, these included
  unsigned threads = 0;   // started
  unsigned execs = 0;     // of other programs
};

// Runs it to its end; nothing where there is no strace. Throws std::runtime_error when it fails.
// "K=V" in `environment` comes on top of this process's own.
std::optional<Counts> count_calls(const std::vector<std::string>& command,
                                  const std::vector<std::string>& environment,
                                  const std::string& input);

// As figures, named after `name`; `newlinks` is how many the work needs.
std::vector<Figure> figures_of(const Counts& counts, const std::string& name, double newlinks);

}  // namespace railhead::bench
