#pragma once
#include <string>

#include "plugin/config/config.hpp"

namespace railhead::app {

// Each on its line: "warning: …", "dropped: …" of resources, "error: …" of the whole.
[[nodiscard]] std::string findings(const config::Parsed& parsed);

// To the standard output.
void write(const std::string& text);

}  // namespace railhead::app
