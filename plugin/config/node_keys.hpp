#pragma once
// The keys beside the lists of resources that say something of the node: railMap, ipamNode.
#include <vector>

#include "plugin/config/grammar.hpp"

namespace railhead::config {

// A list for each rail of its ports, by plane; of one port its address does.
std::vector<std::vector<PciAddress>> read_rail_map(const Json& json, Draft& draft);
// One of cidr, name and list; `first` with the former two.
ipam::NodeRule read_ipam_node(Object& node, Draft& draft);

}  // namespace railhead::config
