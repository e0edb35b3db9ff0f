#pragma once
// RDMA netlink (rdma/rdma_netlink.h) <-> host::RdmaLink.
#include "host/rdma.hpp"
#include "netlink/wire.hpp"

namespace railhead::netlink {

Request get_rdma_devices();
// `port` from 1. A dump would have to name a device too: without one it is empty and no error.
Request get_rdma_port(uint32_t device_index, uint32_t port);
Request get_rdma_system();
Request move_rdma_device(uint32_t device_index, int netns_fd);
Request rename_rdma_device(uint32_t device_index, std::string_view new_name);

// Errors of all: decode. An answer's message type is not looked at: the kernel answers a single
// PORT_GET with the type of GET.
Result<host::RdmaLink> decode_rdma_device(const Message& message);
Result<host::RdmaPort> decode_rdma_port(const Message& message);
// Nothing when the kernel does not say (before Linux 5.2).
Result<std::optional<host::RdmaNetnsMode>> decode_rdma_system(const Message& message);

}  // namespace railhead::netlink
