#pragma once
#include "cni/meta/plan.hpp"
#include "cni/meta/wanted_network.hpp"

namespace railhead::cni {

// The network with what each of its plugins gets: configuration and CNI_ARGS, as Multus makes them.
[[nodiscard]] PodNetwork planned_network(const PlanSource& source, const WantedNetwork& one);

}  // namespace railhead::cni
