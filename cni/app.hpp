#pragma once
// The CNI program without its process: everything that main() gathers comes in as values.
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cni/answer.hpp"
#include "cnispec/request.hpp"
#include "host/host.hpp"

namespace railhead::cni {

Answer failure(const Error& error);

// Answers without a configuration: --help and --version, the about text when CNI_COMMAND is not
// set, and the VERSION verb. Nothing when standard input must be read first.
std::optional<Answer> answer_alone(const std::vector<std::string>& arguments,
                                   const cnispec::Environment& environment);

// Does what CNI_COMMAND asks with the configuration `input`. Logs go to standard error, or to the
// file that the configuration names.
Answer run(const cnispec::Environment& environment, const std::string& input, host::Host& host);

}  // namespace railhead::cni
