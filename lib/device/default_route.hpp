#pragma once
#include <set>
#include <string>
#include <vector>

#include "host/links.hpp"

namespace railhead::device {

// The ifindexes of the links that carry the node's IPv4 default route (main table): the links it
// goes out by, and what belongs to these as port of a bond, bridge or VRF. Without /proc/net/route
// (a kernel without IPv4) there are none.
[[nodiscard]] Result<std::set<uint32_t>> default_route_links(const std::string& proc_root,
                                                             const std::vector<host::Link>& links);

}  // namespace railhead::device
