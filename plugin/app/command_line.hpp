#pragma once
#include <variant>

#include "plugin/app/options.hpp"

namespace railhead::app {

struct Exit {
  int code = 0;
};

// Options, or that the program ends with this code: help was printed, or what is wrong.
[[nodiscard]] std::variant<Options, Exit> parse_command_line(int argc, const char* const* argv);

}  // namespace railhead::app
