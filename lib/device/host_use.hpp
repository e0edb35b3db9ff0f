#pragma once
// Which links the node itself uses: those must not go to a pod.
#include <set>
#include <vector>

#include "host/links.hpp"

namespace railhead::device {

// These links and all that their frames go through: the ports of a bond, bridge or VRF, what a
// VLAN or macvlan stands on, in whatever order these are stacked. Which ports an Open vSwitch
// bridge sends by is not told: all of the datapath's count.
[[nodiscard]] std::set<uint32_t> with_links_below(std::set<uint32_t> tops,
                                                  const std::vector<host::Link>& links);

// By ifindex.
struct HostUse {
  std::set<uint32_t> default_route;   // a default route's frames go through it
  std::set<uint32_t> global_address;  // it, or what stands on it, has an address of global scope
};
[[nodiscard]] HostUse host_use(const std::vector<host::Route>& default_routes,
                               const std::vector<host::LinkAddress>& addresses,
                               const std::vector<host::Link>& links);

// The same as the kernel tells it now: one dump of the routes of each family, one of the addresses.
[[nodiscard]] Result<HostUse> read_host_use(host::Links& host,
                                            const std::vector<host::Link>& links);

}  // namespace railhead::device
