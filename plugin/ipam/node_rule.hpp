#pragma once
// How a node's index is known, as JSON or YAML says it: {"list": {"node-a": 0}}, {"cidr":
// "10.1.0.0/24"} or {"name": "gpu-*"}, the latter two with "first", the number that has index 0.
#include "ipam/node_index.hpp"
#include "plugin/ipam/documents.hpp"

namespace railhead::ipam_tools {

// Errors: invalid_argument, with the key, the value and what was expected; a list that gives two
// nodes one index names both.
[[nodiscard]] Result<ipam::NodeRule> node_rule(const Json& json);

}  // namespace railhead::ipam_tools
