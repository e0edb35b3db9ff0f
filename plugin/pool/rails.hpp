#pragma once
#include <vector>

#include "plugin/pool/select.hpp"

namespace railhead::pool {

// Whether a container may have a device of one of the resource's rails. Of devices that Allocate
// leaves no record of nobody knows.
[[nodiscard]] bool may_have_allocated_rails(const config::Resource& resource,
                                            const std::set<Membership>& allocated);

// The ports (PFs, or functions without one) of these members, as rails in the order of
// device/rails.hpp. What is known keeps its number, also without members, until a new port comes:
// this one is appended where kubelet may know a container's device by its rail, or else the device
// would be given away again under another number; otherwise all are numbered as if they had come at
// once, so that a node's numbers do not tell in which order its drivers were ready.
[[nodiscard]] std::vector<PciAddress> order_rails(const std::vector<Member>& members,
                                                  const device::Inventory& inventory,
                                                  std::vector<PciAddress> known, bool is_allocated);

// The same of the node's rails (device/rails.hpp, rails_of), which the members of several pools
// make up.
[[nodiscard]] device::RailMap number_rails(const std::vector<Member>& members,
                                           const device::Inventory& inventory,
                                           device::RailMap known, bool is_allocated);

// One pool per rail, named after it.
[[nodiscard]] std::vector<Pool> split_into_rails(Pool pool, const std::vector<PciAddress>& rails);

}  // namespace railhead::pool
