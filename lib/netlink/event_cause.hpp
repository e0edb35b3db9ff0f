#pragma once
// Which multicast messages concern the node's devices. Each function adds to the batch a phrase for
// the log line and the hint where to look again, or nothing for what is of no concern.
#include "host/events.hpp"
#include "netlink/uevent.hpp"
#include "netlink/wire.hpp"

namespace railhead::netlink {

// PCI and auxiliary functions, and the netdevs, RDMA and vDPA devices on them.
void note(const Uevent& uevent, host::EventBatch& batch);

// devlink's group "config": devices, ports and parameters.
void note_devlink_message(const Message& message, host::EventBatch& batch);

// RDMA_NL_GROUP_NOTIFY (Linux 6.12 and later): devices, and the netdevs of their ports.
void note_rdma_message(const Message& message, host::EventBatch& batch);

// A message that cannot be read: "a link that cannot be read".
void note_unreadable(std::string what, host::EventBatch& batch);

}  // namespace railhead::netlink
