#pragma once
// Which multicast messages concern the node's devices. Each answer is a phrase for the log line,
// or empty for what is of no concern: a busy node makes and removes veth pairs all the time.
#include <string>

#include "netlink/uevent.hpp"
#include "netlink/wire.hpp"

namespace railhead::netlink {

// PCI and auxiliary functions, and the netdevs, RDMA and vDPA devices on them.
std::string cause_of(const Uevent& uevent);

// RTNLGRP_LINK and RTNLGRP_IPV4_ROUTE: links with a parent device (hardware), and the default
// route, whose device is never offered.
std::string cause_of_route_message(const Message& message);

// devlink's group "config": devices, ports and parameters.
std::string cause_of_devlink_message(const Message& message);

// RDMA_NL_GROUP_NOTIFY (Linux 6.12 and later): devices, and the netdevs of their ports.
std::string cause_of_rdma_message(const Message& message);

}  // namespace railhead::netlink
