#pragma once
// Standard input and output by read(2) and write(2): <iostream> costs a static program 0.8 MB and
// time at each start.
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace railhead::cni {

// All of standard input. io: it cannot be read, or is longer than 16 MiB.
Result<std::string> read_standard_input();
// False: nobody reads it any more.
bool write_all(int fd, std::string_view text);

}  // namespace railhead::cni
