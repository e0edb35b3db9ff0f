#include "netlink/link_events.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "netlink/address.hpp"
#include "netlink/event_cause.hpp"
#include "netlink/link.hpp"

namespace railhead::netlink {
namespace {

void add(std::string cause, host::EventBatch& batch) {
  batch.causes.push_back(std::move(cause));
  batch.links = true;
}

// By its kind: what is below a bridge it is not told with.
bool can_stand_on_hardware(const host::Link& link) {
  static constexpr std::array<std::string_view, 5> kWithPorts = {"bond", "bridge", "openvswitch",
                                                                 "team", "vrf"};
  return link.kind && (sends_through_lower(*link.kind) ||
                       std::ranges::find(kWithPorts, *link.kind) != kWithPorts.end());
}

// It notices a while after its port (miimon) that there is no carrier.
bool is_bond(const host::Link& link) { return link.kind == "bond" || link.kind == "team"; }

void note_route(const Message& message, host::EventBatch& batch) {
  const auto route = read_header<rtmsg>(message.payload);
  if (!route) return note_unreadable("a route", batch);
  if (route->rtm_dst_len != 0 || route->rtm_table != RT_TABLE_MAIN ||
      route->rtm_type != RTN_UNICAST || (route->rtm_flags & RTM_F_CLONED)) {
    return;
  }
  if (route->rtm_family == AF_INET) add("IPv4 default route changed", batch);
  if (route->rtm_family == AF_INET6) add("IPv6 default route changed", batch);
}

}  // namespace

void LinkEvents::note_link(const Message& message, host::EventBatch& batch) {
  const auto header = read_header<ifinfomsg>(message.payload);
  if (!header) return note_unreadable("a link", batch);
  if (header->ifi_family != AF_UNSPEC) return;  // a bridge's of its port
  const auto link = decode_link(message);
  if (!link) return note_unreadable("a link", batch);
  const bool is_gone = message.type == RTM_DELLINK;
  const auto known = links_.find(link->index);
  const auto before = known == links_.end() ? Known{} : known->second;
  const Known now{link->name, link->is_hardware() || can_stand_on_hardware(*link),
                  link->is_up() && !is_gone, is_bond(*link) && link->carrier == true && !is_gone,
                  is_gone ? std::nullopt : link->master};
  if (is_gone) {
    links_.erase(link->index);
  } else {
    links_[link->index] = now;
  }
  if (!now.is_of_concern) return;
  // What a VLAN stands on is fixed when it is made, and means nothing before it comes up. The
  // kernel takes the routes of a link that goes down without a word of them.
  const bool changed = before.is_up != now.is_up || before.has_carrier != now.has_carrier ||
                       before.master != now.master;
  if (!link->is_hardware() && !changed) return;
  add(fmt::format("link {} {}{}", is_gone ? "gone" : "changed", link->name,
                  link->parent_device ? " of " + *link->parent_device : ""),
      batch);
}

void LinkEvents::note_address(const Message& message, host::EventBatch& batch) {
  const auto address = decode_address(message);
  if (!address) return note_unreadable("an address", batch);
  if (!*address || !(*address)->is_global()) return;
  const uint32_t index = (*address)->index;
  const auto link = links_.find(index);
  if (link != links_.end() && !link->second.is_of_concern) return;
  add(fmt::format("address {} {} {}", (*address)->address.to_string(),
                  message.type == RTM_DELADDR ? "gone from" : "on",
                  link == links_.end() ? fmt::format("link {}", index) : link->second.name),
      batch);
}

void LinkEvents::note(const Message& message, host::EventBatch& batch) {
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return note_link(message, batch);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return note_route(message, batch);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return note_address(message, batch);
    default:
      return;
  }
}

std::vector<sock_filter> link_event_filter() {
  // Loads are in network order, the message is in the host's: two bytes are compared swapped.
  const auto type = [](uint16_t value) -> uint32_t { return htons(value); };
  const auto jump_if = [](uint32_t value, uint8_t then, uint8_t otherwise) {
    return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, then, otherwise, value};
  };
  const auto load_byte = [](size_t offset) {
    return sock_filter{BPF_LD | BPF_B | BPF_ABS, 0, 0,
                       static_cast<uint32_t>(sizeof(nlmsghdr) + offset)};
  };
  const auto verdict = [](uint32_t bytes) { return sock_filter{BPF_RET | BPF_K, 0, 0, bytes}; };
  return {
      {BPF_LD | BPF_H | BPF_ABS, 0, 0, offsetof(nlmsghdr, nlmsg_type)},
      jump_if(type(RTM_NEWROUTE), 4, 0),
      jump_if(type(RTM_DELROUTE), 3, 0),
      jump_if(type(RTM_NEWADDR), 6, 0),
      jump_if(type(RTM_DELADDR), 5, 0),
      verdict(UINT32_MAX),  // the whole message
      load_byte(offsetof(rtmsg, rtm_dst_len)),
      jump_if(0, 0, 4),
      load_byte(offsetof(rtmsg, rtm_table)),
      jump_if(RT_TABLE_MAIN, 3, 2),
      load_byte(offsetof(ifaddrmsg, ifa_scope)),
      jump_if(RT_SCOPE_UNIVERSE, 1, 0),
      verdict(0),
      verdict(UINT32_MAX),
  };
}

}  // namespace railhead::netlink
