#pragma once
#include <string>

namespace railhead::cni {

// What the program says at its end.
struct Answer {
  int exit_code = 0;
  std::string output;        // for standard output
  std::string error_output;  // for standard error
  friend bool operator==(const Answer&, const Answer&) = default;
};

}  // namespace railhead::cni
