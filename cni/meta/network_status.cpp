#include "cni/meta/network_status.hpp"

#include <algorithm>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/go_json.hpp"

namespace railhead::cni {
namespace {

using Json = nlohmann::ordered_json;

const std::string& name_of(const PodNetwork& network) {
  return network.nad.empty() ? network.name : network.nad;
}

std::string without_prefix(const std::string& address) {
  return address.substr(0, address.find('/'));
}

Json dns_json(const cnispec::Dns& dns) {
  Json json = Json::object();
  if (!dns.nameservers.empty()) json["nameservers"] = dns.nameservers;
  if (!dns.domain.empty()) json["domain"] = dns.domain;
  if (!dns.search.empty()) json["search"] = dns.search;
  if (!dns.options.empty()) json["options"] = dns.options;
  return json;
}

// The pod's own end: a bridge and its host veth stand in the result, too. Null: there is none.
const cnispec::Interface* end_in_pod(const cnispec::PluginResult& result) {
  const auto found = std::ranges::find_if(
      result.interfaces, [](const auto& interface) { return !interface.sandbox.empty(); });
  return found == result.interfaces.end() ? nullptr : &*found;
}

// What macvlan, ipvlan, vlan and ipoib call the netdev they stand on; "": none is named.
std::string master_of(const PodNetwork& network) {
  const auto input = go_json::parse(network.plugins.front().input);
  const auto master = input ? input->find("master") : Json::const_iterator();
  return input && master != input->end() && master->is_string() ? master->get<std::string>() : "";
}

Json entry(const PodNetwork& network, const cnispec::PluginResult& result, bool is_default) {
  Json json{{"name", name_of(network)}, {"interface", network.ifname}};
  const auto* in_pod = end_in_pod(result);
  std::vector<std::string> ips;
  std::vector<std::string> gateways;
  for (const auto& ip : result.ips) {
    ips.push_back(without_prefix(ip.address));
    if (!ip.gateway.empty()) gateways.push_back(ip.gateway);
  }
  if (network.gateways && !network.gateways->empty()) gateways = *network.gateways;
  if (!ips.empty()) json["ips"] = ips;
  if (in_pod) {
    if (!in_pod->mac.empty()) json["mac"] = in_pod->mac;
    if (in_pod->mtu) json["mtu"] = *in_pod->mtu;
  }
  if (is_default) json["default"] = true;
  json["dns"] = dns_json(result.dns);
  if (!network.device.empty()) {
    json["device-info"] = {
        {"type", "pci"}, {"version", "1.1.0"}, {"pci", {{"pci-address", network.device}}}};
  }
  if (!gateways.empty() && is_default) json["gateway"] = gateways;
  return json;
}

}  // namespace

std::string network_status(const PodRecord& record,
                           std::span<const cnispec::PluginResult> results) {
  const bool is_moved = std::ranges::any_of(
      record.networks, [](const PodNetwork& network) { return network.gateways.has_value(); });
  Json all = Json::array();
  for (size_t i = 0; i < record.networks.size() && i < results.size(); ++i) {
    const auto& network = record.networks[i];
    all.push_back(entry(network, results[i], is_moved ? network.gateways.has_value() : i == 0));
  }
  return all.dump(4, ' ', false, Json::error_handler_t::replace);
}

std::vector<ipc::AttachedDevice> attached_devices(const PodRecord& record,
                                                  std::span<const cnispec::PluginResult> results) {
  std::vector<ipc::AttachedDevice> all;
  for (size_t i = 0; i < record.networks.size() && i < results.size(); ++i) {
    const auto& network = record.networks[i];
    if (network.device.empty()) continue;
    ipc::AttachedDevice one{network.device, network.ifname, {}, {}, network.resource};
    if (const auto* in_pod = end_in_pod(results[i])) one.mac = in_pod->mac;
    for (const auto& ip : results[i].ips) one.ips.push_back(ip.address);
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<ipc::SharedInterface> shared_interfaces(
    const PodRecord& record, std::span<const cnispec::PluginResult> results) {
  std::vector<ipc::SharedInterface> all;
  for (size_t i = 1; i < record.networks.size() && i < results.size(); ++i) {
    const auto& network = record.networks[i];
    const auto* in_pod = end_in_pod(results[i]);
    if (!network.device.empty() || !in_pod) continue;
    auto parent = master_of(network);
    if (parent.empty()) continue;
    ipc::SharedInterface one{std::move(parent), network.ifname, in_pod->mac, {}};
    for (const auto& ip : results[i].ips) one.ips.push_back(ip.address);
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<ipc::PodEvent> added_events(const PodRecord& record,
                                        std::span<const cnispec::PluginResult> results) {
  std::vector<ipc::PodEvent> events;
  for (size_t i = 0; i < record.networks.size() && i < results.size(); ++i) {
    const auto& network = record.networks[i];
    std::vector<std::string> addresses;
    for (const auto& ip : results[i].ips) addresses.push_back(ip.address);
    events.push_back({false, "AddedInterface",
                      fmt::format("Add {} [{}] from {}", network.ifname, fmt::join(addresses, " "),
                                  name_of(network))});
  }
  return events;
}

}  // namespace railhead::cni
