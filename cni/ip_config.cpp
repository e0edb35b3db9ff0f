#include "cni/ip_config.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace railhead::cni {

using host::IpPrefix;

namespace {

Result<IpPrefix> read_prefix(const std::string& text, const char* what) {
  if (const auto prefix = IpPrefix::parse(text)) return *prefix;
  return fail(ErrorCode::decode, "IPAM plugin's {} \"{}\" is no IP address", what, text);
}

// The gateway of the first address of that family that has one.
const std::string* default_gateway(const cnispec::PluginResult& result, bool v6) {
  for (const auto& ip : result.ips) {
    if (!ip.gateway.empty() && (ip.gateway.find(':') != std::string::npos) == v6) {
      return &ip.gateway;
    }
  }
  return nullptr;
}

Result<host::Route> read_route(const cnispec::PluginResult& result, const cnispec::Route& route) {
  const auto destination = read_prefix(route.dst, "route");
  if (!destination) return pass(destination);
  host::Route read;
  read.destination = *destination;
  const std::string* gateway =
      route.gw.empty() ? default_gateway(result, destination->v6) : &route.gw;
  if (gateway) {
    const auto address = read_prefix(*gateway, "gateway");
    if (!address) return pass(address);
    read.gateway = *address;
  }
  read.metric = route.priority;
  read.table = route.table;
  read.mtu = route.mtu;
  read.advmss = route.advmss;
  if (route.scope) {
    if (*route.scope > UINT8_MAX) {
      return fail(ErrorCode::decode, "IPAM plugin's route {} has scope {}: expected 0 to 255",
                  route.dst, *route.scope);
    }
    read.scope = static_cast<uint8_t>(*route.scope);
  }
  return read;
}

// RFC 3021, RFC 6164.
std::string peer_of(const IpPrefix& address) {
  if (address.length + 1U != (address.v6 ? 128U : 32U)) return "";
  auto peer = address;
  auto& last = peer.bytes[address.v6 ? 15 : 3];
  last = static_cast<uint8_t>(last ^ 1U);
  return peer.address_string();
}

}  // namespace

cnispec::PluginResult host_use(const attach::Attached& attached) {
  cnispec::PluginResult result;
  for (const auto& address : attached.host_addresses) {
    result.ips.push_back(
        {.interface = {}, .address = address.to_string(), .gateway = peer_of(address)});
  }
  for (const auto& route : attached.host_routes) {
    const bool is_kernels = std::ranges::any_of(attached.host_addresses, [&](const auto& address) {
      return !route.gateway && route.destination == address.network();
    });
    if (is_kernels) continue;
    cnispec::Route one;
    one.dst = route.destination.to_string();
    if (route.gateway) one.gw = route.gateway->address_string();
    one.priority = route.metric;
    if (route.kernel_table() != host::Route{}.kernel_table()) one.table = route.table;
    one.mtu = route.mtu;
    one.advmss = route.advmss;
    if (route.scope) one.scope = *route.scope;
    result.routes.push_back(std::move(one));
  }
  return result;
}

Result<attach::IpConfig> read_ip_config(const cnispec::PluginResult& result) {
  attach::IpConfig config;
  for (const auto& ip : result.ips) {
    const auto address = read_prefix(ip.address, "address");
    if (!address) return pass(address);
    config.addresses.push_back(*address);
  }
  for (const auto& route : result.routes) {
    auto read = read_route(result, route);
    if (!read) return pass(read);
    config.routes.push_back(*read);
  }
  return config;
}

}  // namespace railhead::cni
