#include "device/allocation.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "host/files.hpp"

namespace railhead::device {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;

std::string folder(const std::string& run_root) { return run_root + "/allocations"; }
std::string file(const std::string& run_root, const PciAddress& device) {
  return fmt::format("{}/{}.json", folder(run_root), device.to_string());
}

Result<Allocation> decode(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (const int schema = json.at("schema").get<int>(); schema != kSchema) {
      return fail(ErrorCode::decode, "schema {}: this program reads schema {}", schema, kSchema);
    }
    const auto device_text = json.at("device").get<std::string>();
    const auto device = PciAddress::parse(device_text);
    if (!device) return fail(ErrorCode::decode, "device \"{}\": no PCI address", device_text);
    Allocation allocation{json.at("resource").get<std::string>(), *device, {}, {}};
    for (const Json& item : json.at("char_devices")) {
      const auto kind_text = item.at("kind").get<std::string>();
      const auto kind = parse_char_kind(kind_text);
      if (!kind) return fail(ErrorCode::decode, "kind \"{}\" is not known", kind_text);
      allocation.char_devices.push_back(
          {*kind, item.at("name").get<std::string>(), item.at("dev").get<std::string>()});
    }
    if (const auto others = json.find("other_nodes"); others != json.end()) {
      allocation.other_nodes = others->get<std::vector<std::string>>();
    }
    return allocation;
  } catch (const Json::exception& error) {
    return fail(ErrorCode::decode, "{}", error.what());
  }
}

}  // namespace

std::vector<std::string> Allocation::host_paths() const {
  auto paths = other_nodes;
  for (const auto& node : char_devices) paths.push_back(node.path());
  return paths;
}

Result<void> write_allocation(const std::string& run_root, const Allocation& allocation) {
  Json char_devices = Json::array();
  for (const auto& node : allocation.char_devices) {
    char_devices.push_back(
        {{"kind", to_string(node.kind)}, {"name", node.name}, {"dev", node.dev}});
  }
  const Json json = {{"schema", kSchema},
                     {"resource", allocation.resource},
                     {"device", allocation.device.to_string()},
                     {"char_devices", std::move(char_devices)},
                     {"other_nodes", allocation.other_nodes}};
  if (auto made = host::make_directories(folder(run_root), 0700); !made) return made;
  return host::write_file_atomically(file(run_root, allocation.device),
                                     json.dump(-1, ' ', false, Json::error_handler_t::replace),
                                     0600);
}

Result<std::optional<Allocation>> read_allocation(const std::string& run_root,
                                                  const PciAddress& device) {
  const std::string path = file(run_root, device);
  const auto text = host::read_own_file(path);
  if (is(text, ErrorCode::not_found)) return std::nullopt;
  if (!text) return pass(text);
  auto allocation = decode(*text);
  if (!allocation) return pass(allocation, path);
  return std::optional(std::move(*allocation));
}

Result<std::vector<PciAddress>> list_allocations(const std::string& run_root) {
  std::vector<PciAddress> devices;
  const auto names = [&]() -> Result<std::vector<std::string>> {
    const auto open = host::Directory::open(folder(run_root));
    if (!open) return pass(open);
    return open->list(".");
  }();
  if (is(names, ErrorCode::not_found)) return devices;
  if (!names) return pass(names);
  constexpr std::string_view kSuffix = ".json";
  for (std::string_view name : *names) {
    if (!name.ends_with(kSuffix)) continue;
    const auto device = PciAddress::parse(name.substr(0, name.size() - kSuffix.size()));
    if (device) devices.push_back(*device);
  }
  std::sort(devices.begin(), devices.end());
  return devices;
}

Result<std::vector<Allocation>> read_allocations(const std::string& run_root) {
  std::vector<Allocation> all;
  const auto devices = list_allocations(run_root);
  if (!devices) return pass(devices);
  for (const auto& device : *devices) {
    auto allocation = read_allocation(run_root, device);
    if (!allocation && !is(allocation, ErrorCode::decode)) return pass(allocation);
    if (allocation && *allocation) all.push_back(std::move(**allocation));
  }
  return all;
}

Result<void> remove_allocation(const std::string& run_root, const PciAddress& device) {
  return host::remove_file(file(run_root, device));
}

}  // namespace railhead::device
