#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "attach/own_table.hpp"
#include "cni/command/command.hpp"
#include "cni/ip_config.hpp"
#include "cni/types/multi_nic.hpp"

namespace railhead::cni {

namespace {

// By destination and gateway: a later plugin may have moved it to another table.
bool same_route(const host::Route& a, const host::Route& b) {
  const auto gateway = [](const host::Route& route) {
    return route.gateway ? route.gateway->address_string() : "";
  };
  return a.destination.network() == b.destination.network() && gateway(a) == gateway(b);
}

bool is_ours(const Call& call, const cnispec::PluginResult& prev, const cnispec::Ip& ip) {
  return !ip.interface || (*ip.interface < prev.interfaces.size() &&
                           prev.interfaces[*ip.interface].name == call.request.ifname);
}

Result<> check_routes(const Call& call, const cnispec::PluginResult& prev, host::Links& links,
                      uint32_t index) {
  // A route does not say its interface. Where a later plugin has put addresses on another one, ours
  // cannot be told from its.
  for (const auto& ip : prev.ips) {
    if (!is_ours(call, prev, ip)) return {};
  }
  const auto wanted = read_ip_config(prev);
  if (!wanted) return pass(wanted);
  const auto present = links.routes(index);
  if (!present) return pass(present, call.request.ifname);
  for (const auto& route : wanted->routes) {
    const auto same = [&](const host::Route& other) { return same_route(route, other); };
    if (std::none_of(present->begin(), present->end(), same)) {
      return fail(ErrorCode::not_found, "{} has lost its route to {}{}", call.request.ifname,
                  route.destination.to_string(),
                  route.gateway ? " via " + route.gateway->address_string() : "");
    }
  }
  return {};
}

Result<> check_addresses(const Call& call, const cnispec::PluginResult& prev, host::Links& links,
                         uint32_t index) {
  const auto present = links.all_addresses();
  if (!present) return pass(present, call.request.ifname);
  for (const auto& ip : prev.ips) {
    const auto wanted = host::IpPrefix::parse(ip.address);
    if (!is_ours(call, prev, ip) || !wanted) continue;
    const auto at = std::find_if(present->begin(), present->end(), [&](const auto& one) {
      return one.index == index && one.address == *wanted;
    });
    if (at == present->end()) {
      return fail(ErrorCode::not_found, "{} has lost its address {}", call.request.ifname,
                  ip.address);
    }
    if (at->is_duplicate) {
      return fail(ErrorCode::already_exists,
                  "the address {} of {} failed duplicate address detection (dadfailed): "
                  "another host answers to it, and the pod cannot use it",
                  ip.address, call.request.ifname);
    }
  }
  return {};
}

Result<> check_rules(const Call& call, host::Links& links) {
  if (call.type.name != "railhead") return {};
  const auto multi_nic = read_multi_nic(call.config);
  if (!multi_nic) return pass(multi_nic);
  if (!multi_nic->own_table) return {};
  const auto rules = attach::own_rules(links, multi_nic->own_table->table);
  if (!rules) return pass(rules, call.request.ifname);
  if (!rules->empty()) return {};
  return fail(ErrorCode::not_found, "{} has lost its rules for table {}", call.request.ifname,
              multi_nic->own_table->table);
}

// Later plugins of a chain may add to what is there: what is ours must stand, other things may.
Result<> check_ip_config(const Call& call, const cnispec::PluginResult& prev) {
  const auto netns = call.host.netns.open(call.request.netns);
  if (!netns) return pass(netns);
  const auto links = call.host.netns.links(*netns);
  if (!links) return pass(links);
  const auto link = (*links)->by_name(call.request.ifname);
  if (!link) return pass(link, call.request.ifname);
  if (auto stand = check_addresses(call, prev, **links, link->index); !stand) return stand;
  if (auto stand = check_routes(call, prev, **links, link->index); !stand) return stand;
  return check_rules(call, **links);
}

}  // namespace

Result<std::string> check(const Call& call) {
  const auto prev = cnispec::read_prev_result(call.config);
  if (!prev) return pass(prev);
  attach::Attachments attachments(call.host, call.deadline, call.log);
  const auto has_netdev = attachments.check(call.key());
  if (!has_netdev) return pass(has_netdev);
  Result<> good;
  if (*has_netdev && *prev && !(*prev)->ips.empty()) good = check_ip_config(call, **prev);
  if (good) good = call.ipam.call(cnispec::Command::check, call.deadline);
  if (!good) return pass(good);
  return {};
}

}  // namespace railhead::cni
