#pragma once
// How a node's index is known, in a file of its own: what ipamNode of the configuration holds.
#include "ipam/node_index.hpp"
#include "plugin/ipam/documents.hpp"

namespace railhead::ipam_tools {

// Errors: invalid_argument, with the key, the value and what was expected; a list that gives two
// nodes one index names both.
[[nodiscard]] Result<ipam::NodeRule> node_rule(const Json& json);

}  // namespace railhead::ipam_tools
