#pragma once
// Addresses and routes: rtnetlink(7) messages <-> host::IpPrefix and host::Route.
#include "host/links.hpp"
#include "netlink/wire.hpp"

namespace railhead::netlink {

// The address in network order, and back. Errors: decode (a wrong size, a prefix that is too long).
Bytes address_bytes(const host::IpPrefix& prefix);
Result<host::IpPrefix> prefix_of(bool v6, Bytes address, uint8_t length);

// Of one link: the kernel filters where the socket asks for strict checks, others must look. Of
// all links with index 0.
Request get_addresses(uint32_t index);
Request add_address(uint32_t index, const host::IpPrefix& address);
// RTM_NEWADDR, RTM_DELADDR; nothing for another family's (MCTP). Errors: decode.
Result<std::optional<host::LinkAddress>> decode_address(const Message& message);

// Routes of one family that leave through one link.
Request get_routes(bool v6, uint32_t out_index);
// Routes of one family of a table. ENOENT where nobody made that table yet.
Request get_table_routes(bool v6, uint32_t table);
Request add_route(const host::Route& route);
Request remove_route(const host::Route& route);
// RTM_NEWROUTE: one route for each of its next hops; none for what is no unicast route of a
// configured table (the kernel's own table "local", cached clones, multicast). Errors: decode.
Result<std::vector<host::Route>> decode_route(const Message& message);

// linux/fib_rules.h
Request get_rules(bool v6);
Request add_rule(const host::Rule& rule);
Request remove_rule(const host::Rule& rule);
// RTM_NEWRULE; nothing for one that asks no table. Errors: decode.
Result<std::optional<host::Rule>> decode_rule(const Message& message);

// RTM_NEWNEIGH
Request set_neighbour(uint32_t index, const host::IpPrefix& address, const HwAddress& mac);

}  // namespace railhead::netlink
