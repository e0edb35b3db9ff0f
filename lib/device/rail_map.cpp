#include "device/rail_map.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "device/sysfs.hpp"
#include "host/files.hpp"

namespace railhead::device {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;  // the next is read too: unknown fields are ignored

std::string file_in(const std::string& state_root) { return state_root + "/rail_map.json"; }

Result<std::vector<PciAddress>> decode_ports(const Json& json, RailMap& rails) {
  if (!json.is_array()) return fail(ErrorCode::decode, "rails: expected lists of PCI addresses");
  std::vector<PciAddress> ports;
  for (const auto& item : json) {
    const auto port = item.is_string() ? PciAddress::parse(item.get<std::string>()) : std::nullopt;
    if (!port || place_of(rails, *port) || std::ranges::find(ports, *port) != ports.end()) {
      return fail(ErrorCode::decode, "rails: {}: expected PCI addresses, each once", item.dump());
    }
    ports.push_back(*port);
  }
  return ports;
}

Result<RailMap> decode(std::string_view text) {
  const auto json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(ErrorCode::decode, "expected a JSON object");
  const auto schema = json.find("schema");
  if (schema == json.end() || !schema->is_number_integer() ||
      schema->get<int64_t>() > kSchema + 1) {
    return fail(ErrorCode::decode, "schema: this program reads schemas up to {}", kSchema + 1);
  }
  const auto items = json.find("rails");
  if (items == json.end() || !items->is_array() || items->size() > kMaxRails) {
    return fail(ErrorCode::decode, "rails: expected a list of at most {}", kMaxRails);
  }
  RailMap rails;
  for (const auto& item : *items) {
    auto ports = decode_ports(item, rails);
    if (!ports) return pass(ports);
    rails.push_back(std::move(*ports));
  }
  return rails;
}

}  // namespace

std::optional<RailPlace> place_of(const RailMap& rails, const PciAddress& port) {
  for (size_t rail = 0; rail < rails.size(); ++rail) {
    const auto at = std::ranges::find(rails[rail], port);
    if (at == rails[rail].end()) continue;
    return RailPlace{static_cast<uint32_t>(rail), static_cast<uint32_t>(at - rails[rail].begin())};
  }
  return std::nullopt;
}

Result<RailMap> read_rail_map(const std::string& state_root) {
  const auto text = host::read_own_file(file_in(state_root));
  if (is(text, ErrorCode::not_found)) return RailMap{};
  if (!text) return pass(text);
  auto rails = decode(*text);
  if (!rails) return pass(rails, file_in(state_root));
  return rails;
}

Result<void> write_rail_map(const std::string& state_root, const RailMap& rails) {
  if (auto made = host::make_directories(state_root, 0700); !made) return made;
  Json items = Json::array();
  for (const auto& ports : rails) {
    auto& item = items.emplace_back(Json::array());
    for (const auto& port : ports) item.push_back(port.to_string());
  }
  const Json json = {{"schema", kSchema}, {"rails", std::move(items)}};
  return host::write_file_atomically(file_in(state_root), json.dump(), 0600);
}

Result<PciAddress> port_of_device(const std::string& sysfs_root, const DeviceId& device) {
  const auto bus =
      host::Directory::open(fmt::format("{}/bus/{}/devices", sysfs_root, to_string(device.kind)));
  if (!bus) return pass(bus);
  if (const auto pci = device.pci()) {
    const auto folder = bus->sub(device.name);
    if (!folder) return pass(folder, device.name);
    const auto pf = optional(folder->link_name("physfn"));
    if (!pf) return pass(pf, device.name);
    return *pf ? PciAddress::parse(**pf).value_or(*pci) : *pci;
  }
  // ".../0000:3b:00.0/mlx5_core.sf.4"
  const auto target = bus->link(device.name);
  if (!target) return pass(target, device.name);
  const auto parts = split(*target, '/');
  const auto parent = parts.size() > 1 ? PciAddress::parse(parts[parts.size() - 2]) : std::nullopt;
  if (!parent) return fail(ErrorCode::not_found, "{}: it is on no PCI function", device.name);
  return *parent;
}

}  // namespace railhead::device
