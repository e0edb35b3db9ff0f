#pragma once
#include "host/port_events.hpp"

namespace railhead::verbs {

// host::OpenPortEvents by libibverbs. It needs the device's node in /dev/infiniband and its
// provider's library. A device that is held open must not keep its driver from going: the kernel
// says when it is unbound or changes its namespace (IBV_EVENT_DEVICE_FATAL).
[[nodiscard]] std::unique_ptr<host::PortEvents> open_port_events(const std::string& device);

}  // namespace railhead::verbs
