#include "device/host_use.hpp"

#include <algorithm>
#include <map>
#include <string_view>

namespace railhead::device {
namespace {

constexpr std::string_view kOpenVswitch = "openvswitch";  // a bridge's own link, and the datapath's

}  // namespace

std::set<uint32_t> with_links_below(std::set<uint32_t> tops, const std::vector<host::Link>& links) {
  std::set<uint32_t> switches;
  for (const auto& link : links) {
    if (link.kind == kOpenVswitch) switches.insert(link.index);
  }
  std::multimap<uint32_t, uint32_t> below;
  std::vector<uint32_t> switch_ports;
  for (const auto& link : links) {
    if (const auto lower = link.lower()) below.emplace(link.index, *lower);
    if (!link.master) continue;
    below.emplace(*link.master, link.index);
    if (switches.contains(*link.master)) switch_ports.push_back(link.index);
  }
  std::vector<uint32_t> left(tops.begin(), tops.end());
  while (!left.empty()) {
    const uint32_t top = left.back();
    left.pop_back();
    const auto take = [&](uint32_t index) {
      if (tops.insert(index).second) left.push_back(index);
    };
    const auto [first, last] = below.equal_range(top);
    for (auto one = first; one != last; ++one) take(one->second);
    if (switches.contains(top)) std::ranges::for_each(switch_ports, take);
  }
  return tops;
}

HostUse host_use(const std::vector<host::Route>& default_routes,
                 const std::vector<host::LinkAddress>& addresses,
                 const std::vector<host::Link>& links) {
  HostUse use;
  for (const auto& route : default_routes) use.default_route.insert(route.out_index);
  for (const auto& address : addresses) {
    if (address.is_global()) use.global_address.insert(address.index);
  }
  use.default_route = with_links_below(std::move(use.default_route), links);
  use.global_address = with_links_below(std::move(use.global_address), links);
  return use;
}

Result<HostUse> read_host_use(host::Links& host, const std::vector<host::Link>& links) {
  const auto routes = host.default_routes();
  if (!routes) return pass(routes);
  const auto addresses = host.all_addresses();
  if (!addresses) return pass(addresses);
  return host_use(*routes, *addresses, links);
}

}  // namespace railhead::device
