#include "cni/meta/default_routes.hpp"

#include <algorithm>

#include "cni/conf.hpp"

namespace railhead::cni {
namespace {

using host::Route;

bool contains(const std::vector<Route>& routes, const Route& route) {
  return std::ranges::any_of(routes, [&](const Route& one) {
    return one.out_index == route.out_index && one.is_same_way(route);
  });
}

// The whole of what a family's default routes must be in the end; `present` are all there are.
Result<std::vector<Route>> final_table(host::Links& links, const PodRecord& record,
                                       const std::vector<Route>& present) {
  std::vector<Route> wanted;
  std::string takes[2];  // IPv4, IPv6: which network has it
  const auto take = [&](const PodNetwork& network, bool v6) -> Result<void> {
    auto& whose = takes[v6 ? 1 : 0];
    if (!whose.empty() && whose != network.place) {
      return refuse("default-route: {} and {} both have one of IPv{}", whose, network.place,
                    v6 ? 6 : 4);
    }
    whose = network.place;
    return {};
  };
  for (const auto& network : record.networks) {
    if (!network.gateways) continue;
    const auto link = links.by_name(network.ifname);
    if (!link) return pass(link, network.place);
    for (const auto& text : *network.gateways) {
      const auto gateway = host::IpPrefix::parse(text);
      if (!gateway) continue;  // the plan has refused it
      wanted.push_back(
          {.destination = {.v6 = gateway->v6}, .gateway = gateway, .out_index = link->index});
      if (auto taken = take(network, gateway->v6); !taken) return pass(taken);
    }
    if (!network.gateways->empty()) continue;
    for (const auto& route : present) {
      if (route.out_index != link->index) continue;
      wanted.push_back(route);
      if (auto taken = take(network, route.destination.v6); !taken) return pass(taken);
    }
  }
  for (const auto& route : present) {
    if (takes[route.destination.v6 ? 1 : 0].empty()) wanted.push_back(route);
  }
  return wanted;
}

// Adds before it removes, so that the pod is never without one. What was done is undone on failure.
Result<void> change(host::Links& links, const std::vector<Route>& from,
                    const std::vector<Route>& to) {
  std::vector<Route> added;
  std::vector<Route> removed;
  Result<void> done;
  for (const auto& route : to) {
    if (!done || contains(from, route)) continue;
    done = links.add_route(route);
    if (done) added.push_back(route);
  }
  for (const auto& route : from) {
    if (!done || contains(to, route)) continue;
    done = links.remove_route(route);
    if (done) removed.push_back(route);
  }
  if (done) return done;
  for (const auto& route : removed) std::ignore = links.add_route(route);
  for (const auto& route : added) std::ignore = links.remove_route(route);
  return done;
}

}  // namespace

Result<void> set_default_routes(host::Host& host, const PodRecord& record) {
  const auto asks = [](const PodNetwork& network) { return network.gateways.has_value(); };
  if (std::ranges::none_of(record.networks, asks)) return {};
  const auto netns = host.netns.open(record.netns_path);
  const auto links = netns ? host.netns.links(*netns) : pass(netns);
  if (!links) return pass(links, "default-route");
  const auto present = (*links)->default_routes();
  if (!present) return pass(present, "default-route");
  const auto wanted = final_table(**links, record, *present);
  if (!wanted) return pass(wanted, "default-route");
  if (auto done = change(**links, *present, *wanted); !done) return pass(done, "default-route");
  const auto now = (*links)->default_routes();
  if (!now) return pass(now, "default-route");
  const bool is_so =
      now->size() == wanted->size() &&
      std::ranges::all_of(*now, [&](const Route& one) { return contains(*wanted, one); });
  if (is_so) return {};
  return fail(ErrorCode::io, "default-route: the pod has {} default routes, and {} were set",
              now->size(), wanted->size());
}

}  // namespace railhead::cni
