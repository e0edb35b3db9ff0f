#include "attach/addresses.hpp"

#include <algorithm>
#include <cerrno>

#include "attach/function.hpp"
#include "attach/own_table.hpp"

namespace railhead::attach {
namespace {

// Before the addresses are set; written from inside the pod's namespace.
Result<void> prepare_sysctls(const host::Host& host, const std::string& link, bool v6,
                             bool announces) {
  // Neighbours are told of an IPv4 address by the kernel when the link is taken up, if it has
  // carrier by then. Without the sysctl: nothing lost.
  std::ignore = write_sysctl(host, "ipv4/conf/*/arp_notify", link, announces ? "1" : "0");
  std::ignore = write_sysctl(host, "ipv6/conf/*/ndisc_notify", link, "0");
  if (!v6) return {};
  // Where IPv6 was switched off for new interfaces an address needs it on.
  std::ignore = write_sysctl(host, "ipv6/conf/*/disable_ipv6", "lo", "0");
  if (auto on = write_sysctl(host, "ipv6/conf/*/disable_ipv6", link, "0"); !on) {
    return pass(on, fmt::format("IPv6 on {}, which IPAM gave an IPv6 address", link));
  }
  // Else an application that takes the link down and up again loses them.
  std::ignore = write_sysctl(host, "ipv6/conf/*/keep_addr_on_down", link, "1");
  // Permits what add_address() asks for.
  std::ignore = write_sysctl(host, "ipv6/conf/*/optimistic_dad", link, "1");
  return {};
}

std::string describe_default(const host::Route& route, const std::string& link) {
  return fmt::format("default{} on {}, metric {}",
                     route.gateway ? " via " + route.gateway->address_string() : "", link,
                     route.kernel_metric());
}

// Of the pod's default routes the one that the new one meets: of its metric, else the one in force.
const host::Route* met_default(const std::vector<host::Route>& present, const host::Route& wanted) {
  const host::Route* met = nullptr;
  for (const auto& route : present) {
    if (route.destination.v6 != wanted.destination.v6) continue;
    if (route.kernel_metric() == wanted.kernel_metric()) return &route;
    if (!met || route.kernel_metric() < met->kernel_metric()) met = &route;
  }
  return met;
}

std::string_view used_of(const host::Route& met, const host::Route& wanted) {
  if (wanted.kernel_metric() > met.kernel_metric()) return "the one that was there";
  if (wanted.kernel_metric() < met.kernel_metric() || !wanted.destination.v6) return "the new one";
  return "both, by turns";
}

Result<void> admit_default(Subject& subject, host::Links& links, const host::Route& wanted,
                           const host::Route& met, SecondDefault second_default) {
  const auto other = links.by_index(met.out_index);
  const auto there =
      describe_default(met, other ? other->name : fmt::format("the link {}", met.out_index));
  const auto added = describe_default(wanted, subject.link->name);
  if (met.kernel_metric() == wanted.kernel_metric() && second_default == SecondDefault::refuse) {
    return fail(ErrorCode::invalid_argument,
                "IPAM's default route ({}) would take the place of the pod's ({}): leave it out of "
                "the ipam's routes, give it another \"priority\" or a \"table\", or ask Multus for "
                "it (\"default-route\" in the pod's annotation)",
                added, there);
  }
  subject.work.log.warning("IPAM gives the pod a second default route",
                           {{"device", subject.name()},
                            {"pod", subject.record.pod},
                            {"route", added},
                            {"beside", there},
                            {"used", used_of(met, wanted)}});
  return {};
}

// A default route of another table is chosen by rules, and meets nobody's.
Result<void> admit_defaults(Subject& subject, host::Links& links, const IpConfig& config) {
  const auto meets = [](const host::Route& route) {
    return route.is_default() && route.kernel_table() == host::Route{}.kernel_table();
  };
  if (std::none_of(config.routes.begin(), config.routes.end(), meets)) return {};
  auto present = links.default_routes();
  if (!present) return pass(present);
  const auto own = subject.link->index;
  std::erase_if(*present, [&](const auto& route) { return route.out_index == own; });
  for (const auto& wanted : config.routes) {
    const auto* met = meets(wanted) ? met_default(*present, wanted) : nullptr;
    if (!met) continue;
    auto admitted = admit_default(subject, links, wanted, *met, config.second_default);
    if (!admitted) return admitted;
  }
  return {};
}

// Equal ones, as IPAM gives with two addresses of a network, are one.
std::vector<host::Route> distinct(const std::vector<host::Route>& routes) {
  std::vector<host::Route> all;
  for (const auto& route : routes) {
    const auto same = [&](const host::Route& other) { return other.is_same_way(route); };
    if (std::none_of(all.begin(), all.end(), same)) all.push_back(route);
  }
  return all;
}

Result<void> add_route(host::Links& links, const host::Link& link, host::Route route) {
  route.out_index = link.index;
  auto done = links.add_route(route);
  if (done) return done;
  if (done.error().os_errno == EEXIST) {
    const auto present = links.routes(link.index);
    const auto same = [&](const host::Route& other) { return other.is_same_way(route); };
    if (present && std::any_of(present->begin(), present->end(), same)) return {};
  }
  return pass(done, fmt::format("route {} on {}", route.destination.to_string(), link.name));
}

}  // namespace

Result<void> activate_addresses(Subject& subject, const IpConfig& given) {
  auto opened = subject.pod->links(subject.host().netns);
  if (!opened) return pass(opened);
  host::Links& links = **opened;
  const host::Link& link = *subject.link;
  const host::Netns& netns = subject.pod->netns;
  auto& host = subject.host();
  const auto config = given.own_table ? for_main_table(given) : given;
  if (given.own_table) {
    auto prepared = prepare_own_table(subject, links, given);
    if (!prepared) return prepared;
  }
  if (auto admitted = admit_defaults(subject, links, config); !admitted) return admitted;
  const bool v6 = std::any_of(config.addresses.begin(), config.addresses.end(),
                              [](const auto& address) { return address.v6; });
  auto prepared =
      host.netns.run(netns, [&] { return prepare_sysctls(host, link.name, v6, config.announces); });
  if (!prepared) return prepared;
  for (const auto& address : config.addresses) {
    if (auto done = links.add_address(link.index, address); !done) {
      return pass(done, fmt::format("address {} on {}", address.to_string(), link.name));
    }
  }
  const auto up = patiently(subject, [&] { return links.change(link.index, {.up = true}); });
  if (!up) {
    return pass(up, fmt::format("bringing {} up", link.name));
  }
  // Only now: an announcement at the link's up would come while the address is looked for
  // duplicates. A NIC's switch that gives a VF its own multicasts back would then make the kernel
  // take the address for one, and drop it; the nonce of RFC 7527 is in solicitations only.
  std::ignore = host.netns.run(netns, [&]() -> Result<void> {
    return write_sysctl(host, "ipv6/conf/*/ndisc_notify", link.name, config.announces ? "1" : "0");
  });
  for (const auto& route : distinct(config.routes)) {
    if (subject.work.deadline.left().count() == 0) {
      return fail(ErrorCode::timeout, "IPAM gave more routes ({}) than can be set in time",
                  config.routes.size());
    }
    if (auto done = add_route(links, link, route); !done) return done;
  }
  if (given.own_table) return fill_own_table(subject, links, given);
  return {};
}

}  // namespace railhead::attach
