#pragma once
// Addresses and routes: rtnetlink(7) messages <-> host::IpPrefix and host::Route.
#include "host/links.hpp"
#include "netlink/wire.hpp"

namespace railhead::netlink {

// The address in network order, and back. Errors: decode (a wrong size, a prefix that is too long).
Bytes address_bytes(const host::IpPrefix& prefix);
Result<host::IpPrefix> prefix_of(bool v6, Bytes address, uint8_t length);

struct LinkAddress {
  uint32_t index = 0;  // of the link
  host::IpPrefix address;
  friend bool operator==(const LinkAddress&, const LinkAddress&) = default;
};

// Of one link: the kernel filters where the socket asks for strict checks, others must look.
Request get_addresses(uint32_t index);
Request add_address(uint32_t index, const host::IpPrefix& address);
Result<LinkAddress> decode_address(const Message& message);  // RTM_NEWADDR. Errors: decode.

// Routes of one family that leave through one link.
Request get_routes(bool v6, uint32_t out_index);
Request add_route(const host::Route& route);
// RTM_NEWROUTE: one route for each of its next hops; none for what is no unicast route of a
// configured table (the kernel's own table "local", cached clones, multicast). Errors: decode.
Result<std::vector<host::Route>> decode_route(const Message& message);

}  // namespace railhead::netlink
