#pragma once
#include "attach/record.hpp"
#include "base/log.hpp"
#include "host/host.hpp"

namespace railhead::attach {

// Brings the device of a record back to where and what it was, from whatever state it is found
// in: in the pod, in the host under any name, or half way. Finds it by its PCI address, changes
// only what differs, verifies by reading back. `netns` is the pod's namespace, null when it is
// gone. A device that no longer exists needs nothing. The caller holds the device's lock.
// timeout: with the namespace gone the device did not come back within some seconds (a process
// still keeps the namespace alive).
[[nodiscard]] Result<void> restore(host::Host& host, const Record& record, const host::Netns* netns,
                                   Logger& log);

}  // namespace railhead::attach
