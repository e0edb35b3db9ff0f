#include "cni/rails_ipam.hpp"

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/text.hpp"
#include "cni/conf.hpp"
#include "cnispec/net_conf.hpp"
#include "host/files.hpp"
#include "ipam/node_index.hpp"
#include "ipam/rails.hpp"

namespace railhead::cni {
namespace {

using cnispec::Command;
using cnispec::PluginResult;
using Json = nlohmann::ordered_json;

// Which of this configuration's keys concern addresses.
struct RailsConfig {
  Json ipam;
  std::string network;
  ipam::Wanted wanted;
};

std::string rails_container(const RailsCall& call) {
  return std::string(cnispec::value_of(*call.environment, "CNI_CONTAINERID"));
}

std::string rails_ifname(const RailsCall& call) {
  return std::string(cnispec::value_of(*call.environment, "CNI_IFNAME"));
}

Result<Json> parse_rails_config(const RailsCall& call) {
  auto json = go_json::parse(*call.config);
  if (!json) return pass(json);
  if (!json->is_object()) return refuse("the configuration is no JSON object");
  return json;
}

std::string rails_network(const Json& config) {
  std::vector<Error> errors;
  return go_json::Object(config, "", errors).string("name").value_or("");
}

Result<RailsConfig> read_call(const RailsCall& call) {
  auto config = parse_rails_config(call);
  if (!config) return pass(config);
  std::vector<Error> errors;
  go_json::Object object(*config, "", errors);
  const auto* ipam = object.value("ipam");
  const auto rail = object.integer("rail");
  const auto further = object.integer("railIndex").value_or(0);
  const auto network = object.string("name").value_or("");
  if (!errors.empty()) return refuse("{}", errors.front().message);
  if (!ipam) return refuse("ipam: missing");
  if (!rail) return refuse("ipam type rails: the network has no rail: rails, or the key rail");
  if (*rail < 0 || *rail > UINT16_MAX || further < 0 || further > UINT16_MAX) {
    return refuse("rail {}, railIndex {}: expected numbers from 0", *rail, further);
  }
  return RailsConfig{
      *ipam,
      network,
      {rails_ifname(call), static_cast<uint32_t>(*rail), static_cast<uint32_t>(further)}};
}

PluginResult to_result(const ipam::OnRail& given) {
  PluginResult result;
  for (const auto& item : given.addresses) {
    result.ips.push_back({.interface = {},
                          .address = item.address.to_string(),
                          .gateway = item.gateway ? item.gateway->to_string() : ""});
  }
  for (const auto& route : given.routes) {
    cnispec::Route one;
    one.dst = route.destination.to_string();
    if (route.gateway) one.gw = route.gateway->to_string();
    one.mtu = route.mtu;
    result.routes.push_back(std::move(one));
  }
  return result;
}

// What may be free a moment later is worth another try.
Error as_answer(Error error) {
  if (error.code == ErrorCode::busy) error.code = ErrorCode::unavailable;
  return error.in("ipam rails");
}

Result<void> collect(const ipam::RailLeases& leases, const Json& config) {
  const auto valid = cnispec::read_valid_attachments(config);
  if (!valid) return pass(valid);
  std::vector<ipam::LeaseKey> keys;
  for (const auto& one : *valid) keys.push_back({one.container_id, one.ifname});
  return ipam::collect_garbage(leases, rails_network(config), keys);
}

// Of one network and one configuration.
Result<std::vector<ipam::OnRail>> add_alike(const host::Host& host, const RailsConfig& config,
                                            const RailsCall& call,
                                            std::span<const ipam::Wanted> wanted,
                                            const Deadline& deadline) {
  const auto conf = ipam::read_rails_conf(config.ipam);
  if (!conf) return refuse("{}", conf.error().message);
  const auto args =
      cnispec::read_args(std::string(cnispec::value_of(*call.environment, "CNI_ARGS")));
  if (!args) return pass(args);
  const auto leases = ipam::RailLeases::open(host, deadline);
  if (!leases) return Failure(as_answer(leases.error()));
  // Under the lock: the agent changes it only where there is no lease.
  const auto node = ipam::read_node_index(host.roots.state);
  if (!node) return Failure(as_answer(node.error()));
  if (!node->doubt.empty()) {
    return Failure(as_answer(Error{ErrorCode::unavailable, 0, node->doubt, {}}));
  }
  const ipam::PodOwner owner{
      config.network, rails_container(call),
      args->pod_name.empty() ? "" : fmt::format("{}/{}", args->pod_namespace, args->pod_name)};
  auto given = ipam::allocate(*leases, *conf, node->index, owner, wanted);
  if (!given) return Failure(as_answer(given.error()));
  return given;
}

}  // namespace

Result<std::vector<PluginResult>> add_rails(const host::Host& host,
                                            std::span<const RailsCall> calls,
                                            const Deadline& deadline) {
  std::vector<RailsConfig> configs;
  for (const auto& call : calls) {
    auto config = read_call(call);
    if (!config) return pass(config);
    configs.push_back(std::move(*config));
  }
  std::vector<PluginResult> results(calls.size());
  std::vector<bool> done(calls.size(), false);
  for (size_t first = 0; first < calls.size(); ++first) {
    if (done[first]) continue;
    // Two NADs may have one name, and other addresses.
    std::vector<size_t> alike;
    std::vector<ipam::Wanted> wanted;
    for (size_t i = first; i < calls.size(); ++i) {
      if (configs[i].network != configs[first].network || configs[i].ipam != configs[first].ipam) {
        continue;
      }
      alike.push_back(i);
      wanted.push_back(configs[i].wanted);
      done[i] = true;
    }
    const auto given = add_alike(host, configs[first], calls[first], wanted, deadline);
    if (!given) return pass(given);
    for (size_t k = 0; k < alike.size(); ++k) results[alike[k]] = to_result((*given)[k]);
  }
  return results;
}

Result<void> call_rails(const host::Host& host, Command command, const RailsCall& call,
                        const Deadline& deadline) {
  if (command == Command::status) return {};
  const auto config = parse_rails_config(call);
  if (!config) return pass(config);
  const auto leases = ipam::RailLeases::open(host, deadline);
  if (!leases) return Failure(as_answer(leases.error()));
  const auto network = rails_network(*config);
  Result<void> done;
  if (command == Command::gc) {
    done = collect(*leases, *config);
  } else if (command == Command::check) {
    const auto lease =
        ipam::find_lease(*leases, network, rails_container(call), rails_ifname(call));
    if (!lease) done = pass(lease);
  } else {
    done = ipam::release(*leases, network, rails_container(call), rails_ifname(call));
  }
  if (!done) return Failure(as_answer(done.error()));
  return {};
}

}  // namespace railhead::cni
