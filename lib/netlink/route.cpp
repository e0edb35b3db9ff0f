// The route part of netlink/address.hpp.
#include <algorithm>

#include <linux/rtnetlink.h>

#include "netlink/address.hpp"

namespace railhead::netlink {
namespace {

// The gateway among the attributes of a route or of one of its next hops.
Result<std::optional<host::IpPrefix>> gateway(bool v6, const Attributes& attributes) {
  auto same = attributes.bytes(RTA_GATEWAY);
  if (same) {
    auto address = prefix_of(v6, *same, v6 ? 128 : 32);
    if (!address) return pass(address, "gateway");
    return *address;
  }
  auto via = attributes.bytes(RTA_VIA);  // of the other family: struct rtvia
  if (!via || via->size() != sizeof(rtvia) + 16) return std::nullopt;
  auto address = prefix_of(true, via->subspan(sizeof(rtvia)), 128);
  if (!address) return pass(address, "gateway");
  return *address;
}

Result<void> read_metrics(Attributes& attributes, host::Route& route) {
  auto nested = attributes.bytes(RTA_METRICS);
  if (!nested) return {};
  auto metrics = Attributes::parse(*nested);
  if (!metrics) return pass(metrics, "metrics");
  route.mtu = metrics->u32(RTAX_MTU);
  route.advmss = metrics->u32(RTAX_ADVMSS);
  return metrics->verify();
}

// RTA_MULTIPATH: rtnexthop structs, each with its own attributes behind it.
Result<std::vector<host::Route>> next_hops(Bytes bytes, const host::Route& route) {
  std::vector<host::Route> routes;
  while (!bytes.empty()) {
    auto hop = read_header<rtnexthop>(bytes);
    if (!hop) return pass(hop, "next hop");
    if (hop->rtnh_len < sizeof(rtnexthop) || hop->rtnh_len > bytes.size()) {
      return fail(ErrorCode::decode, "next hop of {} bytes in {}", hop->rtnh_len, bytes.size());
    }
    auto attributes = Attributes::parse(bytes.first(hop->rtnh_len), sizeof(rtnexthop));
    if (!attributes) return pass(attributes, "next hop");
    auto via = gateway(route.destination.v6, *attributes);
    if (!via) return pass(via, "next hop");
    routes.push_back(route);
    routes.back().gateway = *via;
    routes.back().out_index = static_cast<uint32_t>(hop->rtnh_ifindex);
    bytes = bytes.subspan(std::min<size_t>(RTNH_ALIGN(hop->rtnh_len), bytes.size()));
  }
  return routes;
}

}  // namespace

Request get_routes(bool v6, uint32_t out_index) {
  rtmsg header{};
  header.rtm_family = v6 ? AF_INET6 : AF_INET;
  Request request(RTM_GETROUTE, NLM_F_DUMP, header);
  request.put_u32(RTA_OIF, out_index);
  return request;
}

Request get_table_routes(bool v6, uint32_t table) {
  rtmsg header{};
  header.rtm_family = v6 ? AF_INET6 : AF_INET;
  Request request(RTM_GETROUTE, NLM_F_DUMP, header);
  request.put_u32(RTA_TABLE, table);
  return request;
}

namespace {

// RTM_NEWROUTE or RTM_DELROUTE. Without NLM_F_EXCL a second route to the same place through another
// link is welcome (ECMP on IPv6, a second choice on IPv4); the very same route still is EEXIST.
Request route_request(uint16_t type, uint16_t flags, const host::Route& route) {
  const bool v6 = route.destination.v6;
  rtmsg header{};
  header.rtm_family = v6 ? AF_INET6 : AF_INET;
  header.rtm_dst_len = route.destination.length;
  header.rtm_protocol = route.protocol.value_or(RTPROT_BOOT);
  header.rtm_type = RTN_UNICAST;
  header.rtm_table = RT_TABLE_UNSPEC;  // RTA_TABLE says it
  // The kernel takes a gateway only when it is reached by a route of a narrower scope.
  const bool on_link = !route.gateway && !v6;
  header.rtm_scope = route.scope.value_or(on_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);

  Request request(type, flags, header);
  request.put_u32(RTA_TABLE, route.table.value_or(RT_TABLE_MAIN));
  if (route.destination.length > 0) request.put(RTA_DST, address_bytes(route.destination));
  if (route.gateway && route.gateway->v6 == v6)
    request.put(RTA_GATEWAY, address_bytes(*route.gateway));
  if (route.gateway && route.gateway->v6 != v6) {
    std::vector<std::byte> via(sizeof(rtvia));
    const uint16_t family = route.gateway->v6 ? AF_INET6 : AF_INET;
    std::memcpy(via.data(), &family, sizeof(family));
    const auto bytes = address_bytes(*route.gateway);
    via.insert(via.end(), bytes.begin(), bytes.end());
    request.put(RTA_VIA, via);
  }
  if (route.source) request.put(RTA_PREFSRC, address_bytes(*route.source));
  if (route.out_index != 0) request.put_u32(RTA_OIF, route.out_index);
  if (route.metric) request.put_u32(RTA_PRIORITY, *route.metric);
  if (route.mtu || route.advmss) {
    request.nest(RTA_METRICS, [&] {
      if (route.mtu) request.put_u32(RTAX_MTU, *route.mtu);
      if (route.advmss) request.put_u32(RTAX_ADVMSS, *route.advmss);
    });
  }
  return request;
}

}  // namespace

Request add_route(const host::Route& route) {
  return route_request(RTM_NEWROUTE, NLM_F_CREATE, route);
}

Request remove_route(const host::Route& route) { return route_request(RTM_DELROUTE, 0, route); }

Result<std::vector<host::Route>> decode_route(const Message& message) {
  auto header = read_header<rtmsg>(message.payload);
  if (!header) return pass(header, "route");
  auto attributes = Attributes::parse(message.payload, sizeof(rtmsg));
  if (!attributes) return pass(attributes, "route");

  const bool v6 = header->rtm_family == AF_INET6;
  host::Route route;
  route.table = attributes->u32(RTA_TABLE).value_or(header->rtm_table);
  if ((!v6 && header->rtm_family != AF_INET) || header->rtm_type != RTN_UNICAST ||
      (header->rtm_flags & RTM_F_CLONED) || route.table == RT_TABLE_LOCAL) {
    return std::vector<host::Route>{};
  }
  // The default route has no RTA_DST.
  const auto address = attributes->bytes(RTA_DST);
  auto destination = address || header->rtm_dst_len != 0
                         ? prefix_of(v6, address.value_or(Bytes{}), header->rtm_dst_len)
                         : Result<host::IpPrefix>(host::IpPrefix{.v6 = v6});
  if (!destination) return pass(destination, "route");
  route.destination = *destination;
  route.scope = header->rtm_scope;
  if (header->rtm_protocol != RTPROT_BOOT) route.protocol = header->rtm_protocol;
  if (const auto source = attributes->bytes(RTA_PREFSRC)) {
    auto from = prefix_of(v6, *source, v6 ? 128 : 32);
    if (!from) return pass(from, "route");
    route.source = *from;
  }
  route.metric = attributes->u32(RTA_PRIORITY);
  route.out_index = attributes->u32(RTA_OIF).value_or(0);
  auto via = gateway(v6, *attributes);
  if (!via) return pass(via, "route");
  route.gateway = *via;
  if (auto read = read_metrics(*attributes, route); !read) return pass(read, "route");
  if (auto fits = attributes->verify(); !fits) return pass(fits, "route");
  if (auto hops = attributes->bytes(RTA_MULTIPATH)) return next_hops(*hops, route);
  return std::vector<host::Route>{route};
}

}  // namespace railhead::netlink
