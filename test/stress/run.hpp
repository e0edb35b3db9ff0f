#pragma once
// Starting programs: a CNI plugin as a runtime calls it, and what looks at the node.
#include <chrono>
#include <string>
#include <vector>

namespace railhead::stress {

struct Run {
  std::vector<std::string> command;
  std::vector<std::string> environment;
  std::string input;  // on its standard input
  std::chrono::seconds limit{180};
};

struct Ended {
  int code = 0;  // 128 + signal when a signal ended it
  bool in_time = true;
  std::string output;  // of standard output
  std::string error;   // of standard error
  std::chrono::milliseconds took{0};
};

// It gets no descriptors but the three; killed when it is not over in time. Throws
// std::system_error when it cannot be started.
Ended run(const Run& what);

// Its standard output; throws std::runtime_error when it fails.
std::string output_of(const std::vector<std::string>& command);

}  // namespace railhead::stress
