#pragma once
// What is wrong with the networks that a pod asks for, found before anything is done. Errors as
// make_plan's.
#include <span>

#include "cni/meta/plan.hpp"
#include "cni/meta/wanted_network.hpp"

namespace railhead::cni {

// The names in the pod: none twice.
Result<void> check_names(const PlanSource& source, std::span<const WantedNetwork> all);
// At most one asks for the default route of a family.
Result<void> check_routes(std::span<const WantedNetwork> all);
// Its plugins are there, and may be used.
Result<void> check_plugins(const PlanSource& source, const WantedNetwork& one);
// That, what it asks for that no plugin would give, and devices that are not the pod's.
Result<void> check_network(const PlanSource& source, const WantedNetwork& one,
                           Objections& objections);

}  // namespace railhead::cni
