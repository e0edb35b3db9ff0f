#include "ipam/static.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/text.hpp"
#include "ipam/refuse.hpp"

namespace railhead::ipam {
namespace {

using go_json::Object;
using Json = nlohmann::ordered_json;

std::optional<host::IpPrefix> parse_cidr(std::string_view text) {
  if (text.find('/') == std::string_view::npos) return std::nullopt;
  return host::IpPrefix::parse(text);
}

// "10.1.0.5/24" of a list of the runtime's or the pod's.
Result<std::vector<Given>> read_ips(const std::vector<std::string>& ips) {
  std::vector<Given> given;
  for (const auto& one : ips) {
    const auto address = parse_cidr(one);
    if (!address) {
      return refuse("an entry in the 'ips' field is NOT in CIDR notation, got: '{}'", one);
    }
    given.push_back({*address, std::nullopt});
  }
  return given;
}

Result<std::vector<Given>> read_addresses(Object& ipam) {
  std::vector<Given> given;
  auto entries = ipam.objects("addresses");
  if (!entries) return given;
  for (auto& entry : *entries) {
    const auto text = entry.string("address").value_or("");
    const auto address = parse_cidr(text);
    if (!address) {
      return refuse("the 'address' field is expected to be in CIDR notation, got: '{}'", text);
    }
    given.push_back({*address, std::nullopt});
    const auto gateway = entry.string("gateway").value_or("");
    if (gateway.empty()) continue;
    given.back().gateway = parse_go(gateway);
    if (!given.back().gateway) {
      return refuse("{} {}: invalid IP address", entry.path_of("gateway"), gateway);
    }
  }
  return given;
}

Result<std::vector<Given>> read_args(const StaticArgs& asked) {
  std::vector<Given> given;
  for (const auto part : split(asked.addresses, ',')) {
    if (asked.addresses.empty()) break;
    const auto address = parse_cidr(trim(part));
    if (!address) {
      return refuse("the 'ip' field is expected to be in CIDR notation, got: '{}'", trim(part));
    }
    given.push_back({*address, std::nullopt});
  }
  for (const auto part : split(asked.gateways, ',')) {
    if (asked.gateways.empty()) break;
    const auto gateway = parse_go(trim(part));
    if (!gateway) return refuse("invalid gateway address: {}", part);
    for (auto& one : given) {
      if (contains(one.address, *gateway)) one.gateway = gateway;
    }
  }
  return given;
}

}  // namespace

Result<std::vector<Given>> read_static(const Json& config, const StaticArgs& asked) {
  std::vector<Error> errors;
  Object whole(config, "", errors);
  auto ipam = whole.object("ipam");
  if (!ipam) return refuse("IPAM config missing 'ipam' key");
  auto given = read_addresses(*ipam);
  auto of_args = read_args(asked);
  if (!of_args) return of_args;
  if (given) given->insert(given->end(), of_args->begin(), of_args->end());

  auto args = whole.object("args");
  auto cni = args ? args->object("cni") : std::nullopt;
  auto runtime = whole.object("runtimeConfig");
  for (auto* from : {cni ? &*cni : nullptr, runtime ? &*runtime : nullptr}) {
    const auto ips = from ? from->strings("ips") : std::nullopt;
    if (ips && !ips->empty()) given = read_ips(*ips);
  }
  const auto version = whole.string("cniVersion").value_or("");
  if (!errors.empty()) return refuse("{}", errors.front().message);
  if (!given) return given;
  const auto v6 = std::ranges::count_if(*given, [](const Given& one) { return one.address.v6; });
  const bool is_old = version.empty() || version == "0.1.0" || version == "0.2.0";
  if (is_old && (v6 > 1 || static_cast<size_t>(v6) + 1 < given->size())) {
    return refuse("CNI version {} does not support more than 1 address per family", version);
  }
  return given;
}

}  // namespace railhead::ipam
