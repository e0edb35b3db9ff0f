#pragma once
// ib-kubernetes gives a pod's InfiniBand interface its GUID by writing into the pod's annotation,
// which it may do after the runtime has read it: the entry's cni-args `guid`, `pkey` and
// `mellanox.infiniband.app`, or its `infiniband-guid`.
#include <span>
#include <string_view>

#include "cni/meta/wanted_network.hpp"

namespace railhead::cni {

// Whether a plugin of the network has ibKubernetesEnabled, and the entry not its word yet.
[[nodiscard]] bool waits_for_guid(const WantedNetwork& one);

// Takes these keys, and nothing else, from a newer text of the annotation, for each network that
// waits: of the entry at its place, if that still asks for the same network and interface.
// `pods`: the annotation's networks, in its order; `namespace_`: the pod's.
void take_guids(std::span<WantedNetwork> pods, std::string_view annotation,
                std::string_view namespace_);

}  // namespace railhead::cni
