#pragma once
// Which process still has a device's nodes open: a device may stand in the host again, or its pod's
// namespace be gone, while a process of the pod goes on using it.
#include <optional>
#include <string>

#include "attach/record.hpp"
#include "host/host.hpp"

namespace railhead::attach {

// "pid 4711 (qemu) has /dev/vfio/42 open"; nothing where nobody has, as far as this process may
// see. Looked at are the VFIO nodes of a userspace driver's device (its group's and its own), and
// the verbs nodes of RDMA devices that were not moved or reset: those were made anew by it, and
// what was open is dead. Costs a look at every descriptor of every process.
[[nodiscard]] std::optional<std::string> who_has_open(const host::Host& host, const Record& record);

}  // namespace railhead::attach
