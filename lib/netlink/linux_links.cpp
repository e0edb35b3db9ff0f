#include "netlink/linux_links.hpp"

#include <algorithm>

#include <linux/rtnetlink.h>

#include "netlink/address.hpp"

namespace railhead::netlink {
namespace {

std::string join_words(std::initializer_list<std::string> words) {
  std::string text;
  for (const auto& word : words) {
    if (word.empty()) continue;
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

std::string on_off(std::string_view what, std::optional<bool> value) {
  return value ? fmt::format("{} {}", what, *value ? "on" : "off") : "";
}

// "move to another namespace, name net1": the change as an error's reader would say it.
std::string describe(const host::LinkChange& change) {
  return join_words({
      change.netns_fd ? "move to another namespace" : "",
      change.name ? "name " + *change.name : "",
      change.address ? "address " + change.address->to_string() : "",
      change.mtu ? fmt::format("mtu {}", *change.mtu) : "",
      change.up ? (*change.up ? "up" : "down") : "",
      on_off("promisc", change.promisc),
      on_off("allmulti", change.allmulti),
      change.modes ? fmt::format("flags {:#x}", *change.modes) : "",
      change.alias ? fmt::format("alias '{}'", *change.alias) : "",
      change.broadcast ? "broadcast address " + change.broadcast->to_string() : "",
      change.link_mode ? fmt::format("link mode {}", *change.link_mode) : "",
  });
}

std::string describe(const host::VfAttributes& change) {
  return join_words({
      change.mac ? "mac " + change.mac->to_string() : "",
      change.vlan ? fmt::format("vlan {} qos {} proto {:#06x}", change.vlan->id, change.vlan->qos,
                                change.vlan->protocol)
                  : "",
      change.rate
          ? fmt::format("min_tx_rate {} max_tx_rate {}", change.rate->min_tx, change.rate->max_tx)
          : "",
      on_off("spoofchk", change.spoofchk),
      on_off("trust", change.trust),
      change.link_state ? fmt::format("link_state {}", host::to_string(*change.link_state)) : "",
      change.node_guid ? "node_guid " + change.node_guid->to_string() : "",
      change.port_guid ? "port_guid " + change.port_guid->to_string() : "",
  });
}

template <class T>
Result<T> named(Result<T> result, const std::string& who) {
  if (!result) return pass(result, who);
  return result;
}

std::string link_name(uint32_t index) { return fmt::format("link {}", index); }

}  // namespace

Result<std::unique_ptr<host::Links>> LinuxLinks::open() {
  auto socket = Socket::open(NETLINK_ROUTE);
  if (!socket) return pass(socket);
  return std::unique_ptr<host::Links>(new LinuxLinks(std::move(*socket)));
}

Result<host::Link> LinuxLinks::get(Request request) {
  Result<host::Link> link = fail(ErrorCode::decode, "the kernel acknowledged without an answer");
  auto done = socket_.exchange(std::move(request), [&](const Message& message) -> Result<void> {
    link = decode_link(message);
    return {};
  });
  if (!done) return pass(done);
  return link;
}

Result<std::vector<host::Link>> LinuxLinks::list() {
  return named(socket_.dump<host::Link>(get_links(), decode_link), "list links");
}

Result<host::Link> LinuxLinks::by_index(uint32_t index) {
  return named(get(get_link(index)), link_name(index));
}

Result<host::Link> LinuxLinks::by_name(std::string_view name) {
  return named(get(get_link(name)), fmt::format("link {}", name));
}

Result<host::Link> LinuxLinks::by_parent(std::string_view pci_address, host::LinkLayer layer) {
  auto links = list();
  if (!links) return pass(links);
  const host::Link* first = nullptr;
  for (const auto& link : *links) {
    if (link.parent_device != pci_address || !link.is_of(layer)) continue;
    if (!first || link.index < first->index) first = &link;
  }
  if (!first) return fail_errno(ENODEV, "link of {}", pci_address);
  return *first;
}

Result<void> LinuxLinks::change(uint32_t index, const host::LinkChange& change) {
  return named(socket_.exchange(change_link(index, change)),
               fmt::format("link {}: {}", index, describe(change)));
}

Result<void> LinuxLinks::remove(uint32_t index) {
  return named(socket_.exchange(remove_link(index)), link_name(index) + ": remove");
}

Result<void> LinuxLinks::add_alt_name(uint32_t index, std::string_view name) {
  return named(socket_.exchange(netlink::add_alt_name(index, name)),
               fmt::format("link {}: add altname {}", index, name));
}

Result<void> LinuxLinks::remove_alt_name(uint32_t index, std::string_view name) {
  return named(socket_.exchange(netlink::remove_alt_name(index, name)),
               fmt::format("link {}: remove altname {}", index, name));
}

Result<host::VfAttributes> LinuxLinks::vf(uint32_t pf_index, uint32_t vf) {
  const auto who = fmt::format("PF link {}: VF {}", pf_index, vf);
  std::optional<host::VfAttributes> found;
  auto done = socket_.exchange(get_link_with_vfs(pf_index), [&](const Message& m) -> Result<void> {
    auto decoded = decode_vf(m, vf);
    if (!decoded) return pass(decoded);
    found = *decoded;
    return {};
  });
  if (!done) return pass(done, who);
  if (!found) return fail_errno(ENODEV, "{}", who);
  return *found;
}

Result<std::map<uint32_t, host::VfAttributes>> LinuxLinks::vfs(uint32_t pf_index) {
  std::map<uint32_t, host::VfAttributes> all;
  auto done = socket_.exchange(get_link_with_vfs(pf_index), [&](const Message& m) -> Result<void> {
    auto decoded = decode_vfs(m);
    if (!decoded) return pass(decoded);
    all = std::move(*decoded);
    return {};
  });
  if (!done) return pass(done, fmt::format("PF link {}: its VFs", pf_index));
  return all;
}

Result<void> LinuxLinks::change_vf(uint32_t pf_index, uint32_t vf,
                                   const host::VfAttributes& change) {
  return named(socket_.exchange(netlink::change_vf(pf_index, vf, change)),
               fmt::format("PF link {}: VF {}: {}", pf_index, vf, describe(change)));
}

Result<std::vector<host::LinkAddress>> LinuxLinks::dump_addresses(uint32_t index) {
  using One = std::optional<host::LinkAddress>;
  auto dump = socket_.dump<One>(get_addresses(index), decode_address);
  if (!dump) return pass(dump);
  std::vector<host::LinkAddress> addresses;
  for (const auto& one : *dump) {
    if (one) addresses.push_back(*one);
  }
  return addresses;
}

Result<std::vector<host::LinkAddress>> LinuxLinks::all_addresses() {
  return named(dump_addresses(0), "list addresses");
}

Result<std::vector<host::IpPrefix>> LinuxLinks::addresses(uint32_t index) {
  auto all = dump_addresses(index);
  if (!all) return pass(all, link_name(index) + ": addresses");
  std::vector<host::IpPrefix> addresses;
  for (const auto& entry : *all) {
    if (entry.index == index) addresses.push_back(entry.address);
  }
  return addresses;
}

Result<void> LinuxLinks::add_address(uint32_t index, const host::IpPrefix& address) {
  return named(socket_.exchange(netlink::add_address(index, address)),
               fmt::format("link {}: add address {}", index, address.to_string()));
}

Result<void> LinuxLinks::add_route(const host::Route& route) {
  return named(
      socket_.exchange(netlink::add_route(route)),
      fmt::format("link {}: add route to {}", route.out_index, route.destination.to_string()));
}

Result<void> LinuxLinks::remove_route(const host::Route& route) {
  return named(
      socket_.exchange(netlink::remove_route(route)),
      fmt::format("link {}: remove route to {}", route.out_index, route.destination.to_string()));
}

Result<std::vector<host::Route>> LinuxLinks::routes(uint32_t index) {
  std::vector<host::Route> routes;
  for (bool v6 : {false, true}) {
    auto dump = socket_.dump<std::vector<host::Route>>(get_routes(v6, index), decode_route);
    if (!dump) return pass(dump, link_name(index) + ": routes");
    for (const auto& hops : *dump) {
      std::ranges::copy_if(hops, std::back_inserter(routes), [&](const host::Route& route) {
        return route.out_index == index && route.destination.v6 == v6;
      });
    }
  }
  return routes;
}

Result<std::vector<host::Route>> LinuxLinks::table_routes(uint32_t table) {
  std::vector<host::Route> routes;
  for (bool v6 : {false, true}) {
    auto dump = socket_.dump<std::vector<host::Route>>(get_table_routes(v6, table), decode_route);
    if (is(dump, ErrorCode::not_found)) continue;
    if (!dump) return pass(dump, fmt::format("routes of table {}", table));
    for (const auto& hops : *dump) {
      std::ranges::copy_if(hops, std::back_inserter(routes), [&](const host::Route& route) {
        return route.destination.v6 == v6 && route.table == table;
      });
    }
  }
  return routes;
}

Result<std::vector<host::Rule>> LinuxLinks::rules(bool v6) {
  auto dump = socket_.dump<std::optional<host::Rule>>(get_rules(v6), decode_rule);
  if (!dump) return pass(dump, "list rules");
  std::vector<host::Rule> rules;
  for (auto& one : *dump) {
    if (one && one->v6 == v6) rules.push_back(std::move(*one));
  }
  return rules;
}

Result<void> LinuxLinks::add_rule(const host::Rule& rule) {
  return named(socket_.exchange(netlink::add_rule(rule)),
               fmt::format("add rule {} for table {}", rule.priority, rule.table));
}

Result<void> LinuxLinks::remove_rule(const host::Rule& rule) {
  return named(socket_.exchange(netlink::remove_rule(rule)),
               fmt::format("remove rule {} for table {}", rule.priority, rule.table));
}

Result<void> LinuxLinks::set_neighbour(uint32_t index, const host::IpPrefix& address,
                                       const HwAddress& mac) {
  return named(socket_.exchange(netlink::set_neighbour(index, address, mac)),
               fmt::format("link {}: neighbour {}", index, address.address_string()));
}

Result<std::vector<host::Route>> LinuxLinks::default_routes() {
  auto routes = table_routes(RT_TABLE_MAIN);
  if (!routes) return pass(routes, "default routes");
  std::erase_if(*routes, [](const host::Route& route) { return !route.is_default(); });
  return routes;
}

}  // namespace railhead::netlink
