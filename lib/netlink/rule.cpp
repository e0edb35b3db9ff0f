// The rule and neighbour part of netlink/address.hpp.
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "netlink/address.hpp"

namespace railhead::netlink {
namespace {

Request rule_request(uint16_t type, uint16_t flags, const host::Rule& rule) {
  fib_rule_hdr header{};
  header.family = rule.v6 ? AF_INET6 : AF_INET;
  header.action = FR_ACT_TO_TBL;
  header.table = RT_TABLE_UNSPEC;  // FRA_TABLE says it
  if (rule.from) header.src_len = rule.from->length;
  Request request(type, flags, header);
  request.put_u32(FRA_PRIORITY, rule.priority);
  request.put_u32(FRA_TABLE, rule.table);
  if (rule.from) request.put(FRA_SRC, address_bytes(*rule.from));
  if (!rule.out_link.empty()) request.put_string(FRA_OIFNAME, rule.out_link);
  request.put(FRA_PROTOCOL, std::as_bytes(std::span(&rule.protocol, 1)));
  return request;
}

}  // namespace

Request get_rules(bool v6) {
  fib_rule_hdr header{};
  header.family = v6 ? AF_INET6 : AF_INET;
  return Request(RTM_GETRULE, NLM_F_DUMP, header);
}

Request add_rule(const host::Rule& rule) {
  return rule_request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
}

Request remove_rule(const host::Rule& rule) { return rule_request(RTM_DELRULE, 0, rule); }

Result<std::optional<host::Rule>> decode_rule(const Message& message) {
  auto header = read_header<fib_rule_hdr>(message.payload);
  if (!header) return pass(header, "rule");
  auto attributes = Attributes::parse(message.payload, sizeof(fib_rule_hdr));
  if (!attributes) return pass(attributes, "rule");
  if ((header->family != AF_INET && header->family != AF_INET6) ||
      header->action != FR_ACT_TO_TBL) {
    return std::nullopt;
  }
  host::Rule rule;
  rule.v6 = header->family == AF_INET6;
  rule.table = attributes->u32(FRA_TABLE).value_or(header->table);
  rule.priority = attributes->u32(FRA_PRIORITY).value_or(0);
  rule.out_link = attributes->string(FRA_OIFNAME).value_or("");
  if (const auto protocol = attributes->bytes(FRA_PROTOCOL); protocol && protocol->size() == 1) {
    rule.protocol = static_cast<uint8_t>(protocol->front());
  }
  if (const auto source = attributes->bytes(FRA_SRC)) {
    auto from = prefix_of(rule.v6, *source, header->src_len);
    if (!from) return pass(from, "rule");
    rule.from = *from;
  }
  if (auto fits = attributes->verify(); !fits) return pass(fits, "rule");
  return rule;
}

Request set_neighbour(uint32_t index, const host::IpPrefix& address, const HwAddress& mac) {
  ndmsg header{};
  header.ndm_family = address.v6 ? AF_INET6 : AF_INET;
  header.ndm_ifindex = static_cast<int>(index);
  header.ndm_state = NUD_PERMANENT;
  header.ndm_type = RTN_UNICAST;
  Request request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header);
  request.put(NDA_DST, address_bytes(address));
  request.put(NDA_LLADDR, std::as_bytes(mac.bytes()));
  return request;
}

}  // namespace railhead::netlink
