#pragma once
// Standard input by read(2): <iostream> costs a static program 0.8 MB and time at each start.
#include <string>

#include "base/error.hpp"

namespace railhead::cni {

// All of standard input. io: it cannot be read, or is longer than 16 MiB.
Result<std::string> read_standard_input();

}  // namespace railhead::cni
