#pragma once
// Addresses for the interfaces of a pod over rails, all of them in one act: the same place in each
// rail's block.
#include <set>
#include <span>
#include <string>
#include <vector>

#include "ipam/rail_leases.hpp"
#include "ipam/rails_conf.hpp"

namespace railhead::ipam {

struct Wanted {
  std::string ifname;
  uint32_t rail = 0;
  uint32_t further = 0;
};

struct OnRail {
  std::vector<Given> addresses;    // IPv4 before IPv6
  std::vector<GivenRoute> routes;  // each with its gateway, where there is one
  friend bool operator==(const OnRail&, const OnRail&) = default;
};

struct PodOwner {
  std::string network;
  std::string container_id;
  std::string pod;
};

// In the order of `wanted`; a lease that the container has already stays. `node`: this node's
// index. Errors: invalid_argument (a rail that the configuration has not, an index out of range),
// busy (no place is free: the message says who has what), decode (a file of the store cannot be
// read), io. Nothing is written unless all is given.
[[nodiscard]] Result<std::vector<OnRail>> allocate(const RailLeases& leases, const RailsConf& conf,
                                                   uint32_t node, const PodOwner& owner,
                                                   std::span<const Wanted> wanted);
// What is not there is no error. A file that cannot be read goes with the container's first DEL:
// its others are coming, and none of them could ever end.
[[nodiscard]] Result<void> release(const RailLeases& leases, const std::string& network,
                                   const std::string& container_id, const std::string& ifname);
// not_found: the interface has no lease.
[[nodiscard]] Result<RailLease> find_lease(const RailLeases& leases, const std::string& network,
                                           const std::string& container_id,
                                           const std::string& ifname);
struct LeaseKey {
  std::string container_id;
  std::string ifname;
  friend bool operator==(const LeaseKey&, const LeaseKey&) = default;
};
// Frees the network's leases that are not among the valid ones.
[[nodiscard]] Result<void> collect_garbage(const RailLeases& leases, const std::string& network,
                                           std::span<const LeaseKey> valid);

// The leases of containers other than these, which nobody will come back for; freed, unless they
// are only looked for.
enum class Lost { freed, only_told };
[[nodiscard]] Result<std::vector<PodLeases>> collect_lost(const RailLeases& leases,
                                                          const std::set<std::string>& containers,
                                                          Lost what);

}  // namespace railhead::ipam
