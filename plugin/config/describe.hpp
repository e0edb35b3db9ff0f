#pragma once
#include <string>

#include "plugin/config/config.hpp"

namespace railhead::config {

// What a resource is as it was read, its defaults filled in: its name, and one line per key as
// pools have them. For people.
[[nodiscard]] std::string describe(const Resource& resource);

// A selector on one line: "{vendors: [15b3], pfNames: [ens1f0#0-3,7], isRdma: true}".
[[nodiscard]] std::string describe(const Selector& selector);

}  // namespace railhead::config
