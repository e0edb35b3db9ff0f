#include "attach/own_table.hpp"

#include <algorithm>
#include <cerrno>
#include <span>

#include <linux/rtnetlink.h>

#include "attach/function.hpp"
#include "base/text.hpp"
#include "device/rail_map.hpp"

namespace railhead::attach {
namespace {

// Behind the kernel's table "local" and before its main one. By the link first: a socket that is
// bound to it may have no address yet.
constexpr uint32_t kByLink = 1000;
constexpr uint32_t kByAddress = 1001;
// Nobody's of /etc/iproute2/rt_protos: by it an undo knows what is its own.
constexpr uint8_t kProtocol = 98;
// Of one interface, which an undo removes; more than that are the pod's own doing, and go with its
// namespace.
constexpr size_t kMostRules = 256;
constexpr size_t kMostAddresses = kMostRules - 2;

// The family may be missing in the kernel.
Result<std::vector<host::Rule>> rules_of(host::Links& links, bool v6) {
  auto rules = links.rules(v6);
  if (!rules && rules.error().os_errno == EAFNOSUPPORT) return std::vector<host::Rule>{};
  return rules;
}

Result<void> refuse_used(host::Links& links, uint32_t table) {
  const auto routes = links.table_routes(table);
  if (!routes) return pass(routes);
  bool is_used = !routes->empty();
  for (const bool v6 : {false, true}) {
    const auto rules = rules_of(links, v6);
    if (!rules) return pass(rules);
    is_used |= std::ranges::any_of(*rules, [&](const auto& rule) { return rule.table == table; });
  }
  if (!is_used) return {};
  return fail(ErrorCode::already_exists,
              "routing table {} of the pod is in use: expected it to be this interface's alone "
              "(1000 + 16 * rail + the device's number on the rail)",
              table);
}

// The kernel takes the larger one of the namespace's ("all") and the link's.
Result<void> set_sysctl(Subject& subject, const std::string& key, const std::string& link,
                        int value) {
  const auto text = std::to_string(value);
  if (auto set = write_sysctl(subject.host(), key, link, text); !set) {
    if (is(set, ErrorCode::not_found)) return {};  // a kernel without the family
    return pass(set, fmt::format("{}={}", key, value));
  }
  const auto all = host::read_file(sysctl_path(subject.host(), key, "all"));
  const auto larger = all ? parse_int<int>(*all) : std::nullopt;
  if (!larger || *larger <= value) return {};
  subject.warnings.push_back(fmt::format(
      "the pod's {} is {} for all links, which overrules the {} of {}", key, *larger, value, link));
  return {};
}

bool is_of_main(const host::Route& route) {
  return route.kernel_table() == host::Route{}.kernel_table();
}

// What the kernel has in the main table for an address, and a link-local address for IPv6, which a
// default route of this table would else send to the gateway.
std::vector<host::Route> connected(const IpConfig& config, uint32_t table) {
  std::vector<host::Route> routes;
  bool v6 = false;
  for (const auto& address : config.addresses) {
    v6 |= address.v6;
    if (address.length == (address.v6 ? 128 : 32)) continue;
    host::Route route{.destination = address.network()};
    route.table = table;
    if (!address.v6) route.source = address;
    routes.push_back(route);
  }
  if (v6) {
    host::Route local{.destination = *host::IpPrefix::parse("fe80::/64")};
    local.table = table;
    routes.push_back(local);
  }
  return routes;
}

std::vector<host::Rule> wanted_rules(const IpConfig& config, const std::string& link,
                                     uint32_t table) {
  std::vector<host::Rule> rules;
  bool has[2] = {false, false};
  for (const auto& address : config.addresses) {
    auto from = address;
    from.length = address.v6 ? 128 : 32;
    if (!has[address.v6]) {
      rules.push_back({.v6 = address.v6,
                       .priority = kByLink,
                       .table = table,
                       .from = {},
                       .out_link = link,
                       .protocol = kProtocol});
    }
    has[address.v6] = true;
    rules.push_back({.v6 = address.v6,
                     .priority = kByAddress,
                     .table = table,
                     .from = from,
                     .out_link = "",
                     .protocol = kProtocol});
  }
  return rules;
}

}  // namespace

Result<void> prepare_own_table(Subject& subject, host::Links& links, const IpConfig& config) {
  const auto& own = *config.own_table;
  if (auto free = refuse_used(links, own.table); !free) return free;
  if (config.addresses.size() > kMostAddresses) {
    return fail(ErrorCode::invalid_argument,
                "IPAM gave {} addresses for {}: expected at most {}, each of which has a rule",
                config.addresses.size(), subject.link->name, kMostAddresses);
  }
  for (const auto& route : config.routes) {
    const auto table = route.kernel_table();
    if (table < kFirstTable || table >= kFirstTable + kTablesOfRail * device::kMaxRails) continue;
    return fail(ErrorCode::invalid_argument,
                "IPAM's route {} is for table {}: {} to {} are those of rails",
                route.destination.to_string(), table, kFirstTable,
                kFirstTable + kTablesOfRail * device::kMaxRails - 1);
  }
  const auto link = subject.link->name;
  return subject.host().netns.run(subject.pod->netns, [&]() -> Result<void> {
    std::vector<std::pair<std::string, int>> sysctls = {{"ipv6/conf/*/accept_ra", 0}};
    if (own.arp) {
      sysctls.emplace_back("ipv4/conf/*/arp_ignore", 1);
      sysctls.emplace_back("ipv4/conf/*/arp_announce", 2);
    }
    if (own.loose_rp_filter) sysctls.emplace_back("ipv4/conf/*/rp_filter", 2);
    for (const auto& [key, value] : sysctls) {
      if (auto set = set_sysctl(subject, key, link, value); !set) return set;
    }
    return {};
  });
}

IpConfig for_main_table(IpConfig config) {
  const bool keeps = config.own_table->in_main_table;
  std::erase_if(config.routes, [&](const auto& route) {
    return is_of_main(route) && (!keeps || route.is_default());
  });
  return config;
}

Result<void> fill_own_table(Subject& subject, host::Links& links, const IpConfig& config) {
  const auto& own = *config.own_table;
  const auto& link = *subject.link;
  auto routes = connected(config, own.table);
  for (auto route : config.routes) {
    if (!is_of_main(route)) continue;  // IPAM names a table itself
    route.table = own.table;
    const auto is_there = [&](const host::Route& other) { return other.is_same_way(route); };
    if (std::ranges::none_of(routes, is_there)) routes.push_back(route);
  }
  for (auto& route : routes) {
    if (subject.work.deadline.left().count() == 0) {
      return fail(ErrorCode::timeout, "IPAM gave more routes ({}) than can be set in time",
                  routes.size());
    }
    route.out_index = link.index;
    if (auto added = links.add_route(route); !added) {
      return pass(added, fmt::format("route {} of table {} on {}", route.destination.to_string(),
                                     own.table, link.name));
    }
  }
  for (const auto& rule : wanted_rules(config, link.name, own.table)) {
    if (auto added = links.add_rule(rule); !added) return pass(added, link.name);
  }
  for (const auto& neighbour : own.neighbours) {
    auto set = links.set_neighbour(link.index, neighbour.address, neighbour.mac);
    if (!set) return pass(set, link.name);
  }
  return {};
}

Result<std::vector<host::Rule>> own_rules(host::Links& links, uint32_t table) {
  std::vector<host::Rule> own;
  for (const bool v6 : {false, true}) {
    auto rules = rules_of(links, v6);
    if (!rules) return pass(rules);
    std::ranges::copy_if(*rules, std::back_inserter(own), [&](const auto& rule) {
      return rule.table == table && rule.protocol == kProtocol;
    });
  }
  return own;
}

Result<void> remove_own_rules(Subject& subject) {
  if (!subject.record.table || !subject.pod) return {};
  const auto links = subject.pod->links(subject.host().netns);
  if (!links) return pass(links);
  const auto rules = own_rules(**links, *subject.record.table);
  if (!rules) return pass(rules);
  for (const auto& rule : std::span(*rules).first(std::min(kMostRules, rules->size()))) {
    auto removed = (*links)->remove_rule(rule);
    if (!removed && removed.error().os_errno != ENOENT) return pass(removed);
  }
  return {};
}

}  // namespace railhead::attach
