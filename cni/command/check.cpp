#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cni/command/command.hpp"
#include "cni/ip_config.hpp"

namespace railhead::cni {

using cnispec::Outcome;

namespace {

bool same_network(const host::IpPrefix& a, const host::IpPrefix& b) {
  if (a.v6 != b.v6 || a.length != b.length) return false;
  for (size_t bit = 0; bit < a.length; ++bit) {  // IPv6's kernel zeroes the others
    if ((a.bytes[bit / 8] ^ b.bytes[bit / 8]) & (0x80 >> bit % 8)) return false;
  }
  return true;
}

// By destination and gateway: a later plugin may have moved it to another table.
bool same_route(const host::Route& a, const host::Route& b) {
  const auto gateway = [](const host::Route& route) {
    return route.gateway ? route.gateway->address_string() : "";
  };
  return same_network(a.destination, b.destination) && gateway(a) == gateway(b);
}

bool is_ours(const Call& call, const cnispec::PluginResult& prev, const cnispec::Ip& ip) {
  return !ip.interface || (*ip.interface < prev.interfaces.size() &&
                           prev.interfaces[*ip.interface].name == call.request.ifname);
}

Outcome<> check_routes(const Call& call, const cnispec::PluginResult& prev, host::Links& links,
                       uint32_t index) {
  // A route does not say its interface. Where a later plugin has put addresses on another one, ours
  // cannot be told from its.
  for (const auto& ip : prev.ips) {
    if (!is_ours(call, prev, ip)) return {};
  }
  const auto wanted = read_ip_config(prev);
  if (!wanted) return cnispec::refuse(wanted.error());
  const auto present = links.routes(index);
  if (!present) return to_outcome(pass(present, call.request.ifname));
  for (const auto& route : wanted->routes) {
    const auto same = [&](const host::Route& other) { return same_route(route, other); };
    if (std::none_of(present->begin(), present->end(), same)) {
      return cnispec::refuse(
          cnispec::code::kInternal,
          fmt::format("{} has lost its route to {}{}", call.request.ifname,
                      route.destination.to_string(),
                      route.gateway ? " via " + route.gateway->address_string() : ""));
    }
  }
  return {};
}

// Later plugins of a chain may add to what is there: what is ours must stand, other things may.
Outcome<> check_ip_config(const Call& call, const cnispec::PluginResult& prev) {
  const auto netns = call.host.netns.open(call.request.netns);
  if (!netns) return to_outcome(pass(netns));
  const auto links = call.host.netns.links(*netns);
  if (!links) return to_outcome(pass(links));
  const auto link = (*links)->by_name(call.request.ifname);
  if (!link) return to_outcome(pass(link, call.request.ifname));
  const auto present = (*links)->addresses(link->index);
  if (!present) return to_outcome(pass(present, call.request.ifname));
  for (const auto& ip : prev.ips) {
    const auto wanted = host::IpPrefix::parse(ip.address);
    if (!is_ours(call, prev, ip) || !wanted) continue;
    if (std::find(present->begin(), present->end(), *wanted) == present->end()) {
      return cnispec::refuse(
          cnispec::code::kInternal,
          fmt::format("{} has lost its address {}", call.request.ifname, ip.address));
    }
  }
  return check_routes(call, prev, **links, link->index);
}

}  // namespace

Outcome<std::string> check(const Call& call) {
  const auto prev = cnispec::read_prev_result(call.config);
  if (!prev) return cnispec::refuse(prev.error());
  attach::Attachments attachments(call.host, call.deadline, call.log);
  const auto has_netdev = attachments.check(call.key());
  if (!has_netdev) return cnispec::refuse(cnispec::to_cni_error(has_netdev.error()));
  Outcome<> good;
  if (*has_netdev && *prev && !(*prev)->ips.empty()) good = check_ip_config(call, **prev);
  if (good) good = call.ipam.call(cnispec::Command::check, call.deadline);
  if (!good) return cnispec::refuse(good.error());
  return {};
}

}  // namespace railhead::cni
