#pragma once
// A pod's default routes where its annotation says by which network they go (default-route).
#include "cni/meta/pod_record.hpp"
#include "host/host.hpp"

namespace railhead::cni {

// Of each IP family that a network asks for: that network's gateways, or, where it names none, the
// default route that its own plugins gave; all others go. Changed is only what differs, read back
// afterwards, and put back on failure. Without such a network nothing is done.
[[nodiscard]] Result<void> set_default_routes(host::Host& host, const PodRecord& record);

}  // namespace railhead::cni
