#include "netlink/event_cause.hpp"

#include <algorithm>
#include <array>

#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <rdma/rdma_netlink.h>

#include "netlink/link.hpp"

namespace railhead::netlink {
namespace {

std::string cause_of_link(const Message& message) {
  const auto link = decode_link(message);
  if (!link) return "a link that cannot be read";
  if (!link->parent_device) return {};
  return fmt::format("link {} {} of {}", message.type == RTM_DELLINK ? "gone" : "changed",
                     link->name, *link->parent_device);
}

std::string cause_of_route(const Message& message) {
  const auto route = read_header<rtmsg>(message.payload);
  if (!route) return "a route that cannot be read";
  const bool is_default =
      route->rtm_family == AF_INET && route->rtm_dst_len == 0 && route->rtm_table == RT_TABLE_MAIN;
  return is_default ? "default route changed" : "";
}

}  // namespace

std::string cause_of(const Uevent& uevent) {
  static constexpr std::array<std::string_view, 9> kSubsystems = {
      "pci",  "net",       "infiniband", "infiniband_verbs", "infiniband_mad",
      "vdpa", "auxiliary", "uio",        "vfio-dev"};
  if (std::ranges::find(kSubsystems, uevent.subsystem) == kSubsystems.end()) return {};
  // Veth pairs, bridges, and software RDMA devices on them hang off no hardware.
  if (uevent.path.starts_with("/devices/virtual/")) return {};
  return fmt::format("{} {} {}", uevent.subsystem, uevent.action,
                     uevent.path.substr(uevent.path.rfind('/') + 1));
}

std::string cause_of_route_message(const Message& message) {
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return cause_of_link(message);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return cause_of_route(message);
    default:
      return {};
  }
}

std::string cause_of_devlink_message(const Message& message) {
  const auto header = read_header<genlmsghdr>(message.payload);
  if (!header) return "a devlink message that cannot be read";
  switch (header->cmd) {
    case DEVLINK_CMD_NEW:
    case DEVLINK_CMD_DEL:
    case DEVLINK_CMD_PORT_NEW:
    case DEVLINK_CMD_PORT_DEL:
    case DEVLINK_CMD_PARAM_NEW:
    case DEVLINK_CMD_PARAM_DEL:
      break;
    default:  // traps, regions, rates, health reports: nothing that is looked at
      return {};
  }
  const auto attributes = Attributes::parse(message.payload, sizeof(genlmsghdr));
  if (!attributes) return "a devlink message that cannot be read";
  return fmt::format("devlink {}", attributes->string(DEVLINK_ATTR_DEV_NAME).value_or("?"));
}

std::string cause_of_rdma_message(const Message& message) {
  // RDMA_NLDEV_CMD_MONITOR: the group carries nothing else.
  const auto attributes = Attributes::parse(message.payload);
  if (!attributes) return "an RDMA message that cannot be read";
  return fmt::format("rdma {}", attributes->string(RDMA_NLDEV_ATTR_DEV_NAME).value_or("?"));
}

}  // namespace railhead::netlink
