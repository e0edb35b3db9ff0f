#include "plugin/pool/remembered.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "device/allocation.hpp"
#include "host/files.hpp"

namespace railhead::pool {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;  // the next is read too: unknown fields are ignored

std::string rails_file(const std::string& state_root) { return state_root + "/rails.json"; }
std::string own_resources_file(const std::string& state_root) {
  return state_root + "/resources.json";
}

Result<std::vector<PciAddress>> decode_ports(const Json& json) {
  std::vector<PciAddress> ports;
  if (!json.is_array()) return fail(ErrorCode::decode, "expected a list of PCI addresses");
  for (const Json& item : json) {
    const auto text = item.get<std::string>();
    const auto port = PciAddress::parse(text);
    if (!port) return fail(ErrorCode::decode, "\"{}\": no PCI address", text);
    if (std::ranges::find(ports, *port) != ports.end()) {
      return fail(ErrorCode::decode, "{} has two numbers", text);
    }
    ports.push_back(*port);
  }
  return ports;
}

Result<Rails> decode(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (const int schema = json.at("schema").get<int>(); schema > kSchema + 1) {
      return fail(ErrorCode::decode, "schema {}: this program reads schemas up to {}", schema,
                  kSchema + 1);
    }
    Rails rails;
    for (const auto& [resource, items] : json.at("rails").items()) {
      auto ports = decode_ports(items);
      if (!ports) return pass(ports, resource);
      rails[resource] = std::move(*ports);
    }
    return rails;
  } catch (const Json::exception& error) {
    return fail(ErrorCode::decode, "{}", error.what());
  }
}

}  // namespace

std::string configured_name(const config::Config& config, const std::string& full_name) {
  const auto rails = std::ranges::find_if(
      config.resources, [&](const auto& one) { return config::is_rail_of(one, full_name); });
  return rails == config.resources.end() ? full_name : rails->full_name();
}

std::set<Membership> read_allocated(const config::Config& config, const std::string& run_root) {
  std::set<Membership> allocated;
  const auto allocations = device::read_allocations(run_root);
  for (const auto& allocation : allocations.value_or(std::vector<device::Allocation>{})) {
    allocated.emplace(configured_name(config, allocation.resource), allocation.device.to_string());
  }
  return allocated;
}

Result<std::set<std::string>> read_own_resources(const std::string& state_root) {
  const auto path = own_resources_file(state_root);
  const auto text = host::read_own_file(path);
  if (is(text, ErrorCode::not_found)) return std::set<std::string>{};
  if (!text) return pass(text);
  try {
    return Json::parse(*text).at("resources").get<std::set<std::string>>();
  } catch (const Json::exception& error) {
    return fail(ErrorCode::decode, "{}: {}", path, error.what());
  }
}

Result<void> write_own_resources(const std::string& state_root,
                                 const std::set<std::string>& resources) {
  if (auto made = host::make_directories(state_root, 0700); !made) return made;
  const Json json = {{"schema", kSchema}, {"resources", resources}};
  return host::write_file_atomically(own_resources_file(state_root), json.dump(), 0600);
}

Result<Rails> read_rails(const std::string& state_root) {
  const auto text = host::read_own_file(rails_file(state_root));
  if (is(text, ErrorCode::not_found)) return Rails{};
  if (!text) return pass(text);
  auto rails = decode(*text);
  if (!rails) return pass(rails, rails_file(state_root));
  return rails;
}

Result<void> write_rails(const std::string& state_root, const Rails& rails) {
  if (auto made = host::make_directories(state_root, 0700); !made) return made;
  Json by_resource = Json::object();
  for (const auto& [resource, ports] : rails) {
    auto& items = by_resource[resource] = Json::array();
    for (const auto& port : ports) items.push_back(port.to_string());
  }
  const Json json = {{"schema", kSchema}, {"rails", std::move(by_resource)}};
  return host::write_file_atomically(rails_file(state_root), json.dump(), 0600);
}

}  // namespace railhead::pool
