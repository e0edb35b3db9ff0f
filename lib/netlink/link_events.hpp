#pragma once
// What rtnetlink's groups say that concerns the node's devices, by its bytes.
#include <map>
#include <string>
#include <vector>

#include "host/events.hpp"
#include "host/links.hpp"
#include "netlink/wire.hpp"

struct sock_filter;

namespace railhead::netlink {

// RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR:
// links of hardware; what can stand on these, when it comes up, goes, or changes its master, and
// bonds when their carrier changes; the main table's default routes; addresses of global scope on
// any of these. A busy node makes and removes veth pairs, their addresses and routes all the time:
// these are passed over.
//
// It learns what there is from the messages alone: to ask for all links would wait for the lock
// that they are changed under. What it knows nothing of counts.
class LinkEvents {
 public:
  void note(const Message& message, host::EventBatch& batch);

 private:
  struct Known {
    std::string name;
    bool is_of_concern = false;
    bool is_up = false;
    bool has_carrier = false;  // of a bond; others have their ports'
    std::optional<uint32_t> master;
  };
  void note_link(const Message& message, host::EventBatch& batch);
  void note_address(const Message& message, host::EventBatch& batch);

  std::map<uint32_t, Known> links_;  // by ifindex
};

// For SO_ATTACH_FILTER, so that nobody wakes up for what note() passes over by its header alone:
// routes that are not the main table's default, addresses of narrower scope.
[[nodiscard]] std::vector<sock_filter> link_event_filter();

}  // namespace railhead::netlink
