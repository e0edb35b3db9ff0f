#pragma once
#include "plugin/pool/candidate.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::pool {

// Fills `sickness` and `concerns` from what the inventory shows, by the pool's health settings. A
// device that is inside a pod has its PF's port, which is what the host still sees of it.
void judge(const Candidate& candidate, const config::Health& health, const Knowledge& knowledge,
           Member& member);

// Why nothing of the resource can be given out on this node; "": no such reason.
[[nodiscard]] std::string sickness_of(const config::Resource& resource,
                                      const device::Inventory& inventory);

}  // namespace railhead::pool
