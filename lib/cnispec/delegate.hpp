#pragma once
// Calling another plugin, as libcni does, but for the exec itself.
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace railhead::cnispec {

// Whether it can be the name of a plugin's program: code 7.
Result<> check_plugin_type(std::string_view type);
// The program of plugin `type` in the folders of CNI_PATH ("/opt/cni/bin:/usr/lib/cni"): the first
// that is a regular file.
Result<std::string> find_plugin(std::string_view type, std::string_view cni_path);

// The error of a plugin that ended with `exit_code` other than 0: the one it printed, else a
// message made of what it wrote to standard error.
Error delegate_error(int exit_code, std::string_view output, std::string_view error_output);

}  // namespace railhead::cnispec
