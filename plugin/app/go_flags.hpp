#pragma once
// Command lines that were written for the Go programs this one takes the place of: their flag
// package takes -name for --name, and glog and klog, by which they log, add flags of their own.
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace railhead::app {

struct GoFlags {
  std::vector<std::string> rest;      // the arguments that are this program's, each as --name
  std::optional<unsigned> verbosity;  // of -v
  std::vector<std::string> warnings;  // of the flags that were taken
};

// `is_own`: whether "--name" is an option of this program. Errors: invalid_argument, a flag of glog
// without its value.
[[nodiscard]] Result<GoFlags> take_go_flags(const std::vector<std::string>& arguments,
                                            const std::function<bool(const std::string&)>& is_own);

}  // namespace railhead::app
