#include "plugin/config/config.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "plugin/config/names.hpp"
#include "plugin/config/yaml.hpp"

namespace railhead::config {
namespace {

using go_json::Object;
using Json = nlohmann::ordered_json;

// Keys of device types that are not offered. An empty value asks for nothing and is let pass:
// generated configurations carry them.
constexpr std::array kUnsupportedSelectors = {"acpiIndexes", "auxTypes", "ddpProfiles",
                                              "pKeys",       "vdpaType", "needVhostNet"};

bool asks_for_nothing(const Json& value) {
  return value == false || (value.is_string() && value.get<std::string>().empty()) ||
         ((value.is_array() || value.is_object()) && value.empty());
}

class Parser {
 public:
  Parser(std::string_view default_prefix) : default_prefix_(default_prefix) {}

  Parsed parse(const Json& json) {
    if (!json.is_object()) {
      error("", "the configuration",
            fmt::format("expected an object with the key resourceList, got {}", json.type_name()));
      return std::move(parsed_);
    }
    Object top(json, "", parsed_.errors);
    const Json* list = top.value("resourceList");
    if (!list) {
      top.error("resourceList", "missing; expected a list of resources");
    } else if (!list->is_array()) {
      top.error("resourceList", fmt::format("expected a list, got {}", list->type_name()));
    } else {
      for (size_t i = 0; i < list->size(); ++i) {
        resource((*list)[i], fmt::format("resourceList[{}]", i));
      }
    }
    warn_of_unknown(top);
    return std::move(parsed_);
  }

 private:
  void error(std::string_view path, std::string_view value, std::string_view message) {
    parsed_.errors.push_back(Error{ErrorCode::invalid_argument, 0,
                                   path.empty() ? fmt::format("{}: {}", value, message)
                                                : fmt::format("{}: {}: {}", path, value, message)});
  }

  void warn_of_unknown(const Object& object) {
    for (const auto& path : object.unknown_keys()) {
      parsed_.warnings.push_back(fmt::format("{}: unknown key, ignored", path));
    }
  }

  void resource(const Json& json, const std::string& path) {
    if (!json.is_object()) return error(path, json.type_name(), "expected an object");
    Object object(json, path, parsed_.errors);
    Resource resource;
    name(object, resource);
    const auto type = object.string("deviceType");
    if (type && !type->empty() && *type != "netDevice") {
      object.error("deviceType", *type == "accelerator" || *type == "auxNetDevice"
                                     ? fmt::format("\"{}\" is not supported yet", *type)
                                     : fmt::format("\"{}\": expected \"netDevice\"", *type));
    }
    resource.exclude_topology = object.boolean("excludeTopology").value_or(false);
    selectors(object, resource);
    additional_info(object, resource);
    // Written as null by generators; selectors has been read already.
    static_cast<void>(object.value("SelectorObj"));
    static_cast<void>(object.value("SelectorObjs"));
    warn_of_unknown(object);
    parsed_.config.resources.push_back(std::move(resource));
  }

  void name(Object& object, Resource& resource) {
    const size_t errors_before = parsed_.errors.size();
    const auto name = object.string("resourceName");
    const auto prefix = object.string("resourcePrefix");
    if (parsed_.errors.size() != errors_before) return;
    if (!name) return object.error("resourceName", "missing; expected a name such as \"vf\"");
    resource.name = *name;
    resource.prefix = prefix && !prefix->empty() ? *prefix : default_prefix_;
    if (!is_resource_name(resource.name)) {
      object.error("resourceName", fmt::format("\"{}\": {}", resource.name, kResourceNameRule));
    }
    if (!is_resource_prefix(resource.prefix)) {
      object.error("resourcePrefix",
                   fmt::format("\"{}\": {}", resource.prefix, kResourcePrefixRule));
    }
    if (!names_.insert(resource.full_name()).second) {
      object.error("resourceName",
                   fmt::format("{} is there already; each name once", resource.full_name()));
    }
  }

  void selectors(Object& object, Resource& resource) {
    const Json* json = object.value("selectors");
    if (!json) {
      return object.error("selectors", "missing; expected an object, or a list of objects");
    }
    const auto path = object.path_of("selectors");
    if (json->is_object()) return selector(*json, path, resource);
    if (!json->is_array()) {
      return object.error("selectors", fmt::format("expected an object, or a list of objects, got "
                                                   "{}",
                                                   json->type_name()));
    }
    if (json->empty()) object.error("selectors", "expected at least one selector, got none");
    for (size_t i = 0; i < json->size(); ++i) {
      selector((*json)[i], fmt::format("{}[{}]", path, i), resource);
    }
  }

  void selector(const Json& json, const std::string& path, Resource& resource) {
    if (!json.is_object()) return error(path, json.type_name(), "expected an object");
    Object object(json, path, parsed_.errors);
    Selector selector;
    selector.vendors = ids(object, "vendors");
    selector.devices = ids(object, "devices");
    selector.drivers = object.strings("drivers").value_or(std::vector<std::string>{});
    for (const auto& [at, text] : items(object, "pciAddresses")) {
      const auto address = PciAddress::parse(text);
      if (!address) error(at, quote(text), "expected a PCI address such as 0000:3b:00.2");
      if (address) selector.pci_addresses.push_back(*address);
    }
    selector.pf_names = pfs(object, "pfNames", false);
    selector.root_devices = pfs(object, "rootDevices", true);
    for (auto& [at, text] : items(object, "linkTypes")) {
      const auto type = to_lower(text);
      if (type != "ether" && type != "infiniband") {
        error(at, quote(text), "expected \"ether\" or \"infiniband\"");
      }
      selector.link_types.push_back(type);
    }
    selector.is_rdma = object.boolean("isRdma").value_or(false);
    for (const auto* key : kUnsupportedSelectors) {
      const Json* value = object.value(key);
      if (value && !asks_for_nothing(*value)) object.error(key, "is not supported yet");
    }
    warn_of_unknown(object);
    resource.selectors.push_back(std::move(selector));
  }

  // The strings of a list, each with its own path.
  static std::vector<std::pair<std::string, std::string>> items(Object& object, const char* key) {
    std::vector<std::pair<std::string, std::string>> items;
    for (auto& text : object.strings(key).value_or(std::vector<std::string>{})) {
      items.emplace_back(fmt::format("{}[{}]", object.path_of(key), items.size()), std::move(text));
    }
    return items;
  }

  static std::string quote(std::string_view text) { return fmt::format("\"{}\"", text); }

  std::vector<std::string> ids(Object& object, const char* key) {
    std::vector<std::string> ids;
    for (const auto& [at, text] : items(object, key)) {
      if (text.size() != 4 || !parse_int<uint16_t>(text, 16)) {
        error(at, quote(text), "expected four hex digits such as \"15b3\"");
      }
      ids.push_back(to_lower(text));
    }
    return ids;
  }

  // "NAME", "NAME#0-3,7". Several items of one PF are united.
  std::vector<VfsOfPf> pfs(Object& object, const char* key, bool by_address) {
    std::vector<VfsOfPf> pfs;
    for (const auto& [at, text] : items(object, key)) {
      const auto parts = split(text, '#');
      VfsOfPf item{std::string(parts.front()), std::nullopt};
      if (parts.size() > 1) item.vfs = parse_ranges(parts[1]);
      if (parts.size() > 2 || (parts.size() == 2 && !item.vfs) || item.pf.empty() ||
          (by_address && !PciAddress::parse(item.pf))) {
        error(at, quote(text),
              by_address ? "expected a PF's PCI address, with or without VFs: 0000:3b:00.0#0-3,7"
                         : "expected a PF's name, with or without VFs: ens1f0#0-3,7");
        continue;
      }
      const auto same = std::find_if(pfs.begin(), pfs.end(), [&](const VfsOfPf& other) {
        return equal_ignoring_case(other.pf, item.pf);
      });
      if (same == pfs.end()) {
        pfs.push_back(std::move(item));
        continue;
      }
      parsed_.warnings.push_back(
          fmt::format("{}: {} is named more than once; the VFs of all its items are taken together",
                      at, item.pf));
      if (!item.vfs || !same->vfs) {
        same->vfs.reset();
      } else {
        same->vfs->insert(same->vfs->end(), item.vfs->begin(), item.vfs->end());
      }
    }
    return pfs;
  }

  void additional_info(Object& object, Resource& resource) {
    auto infos = object.object("additionalInfo");
    if (!infos) return;
    const Json& json = *object.value("additionalInfo");
    for (auto it = json.begin(); it != json.end(); ++it) {
      if (it.key() != "*" && !PciAddress::parse(it.key())) {
        parsed_.warnings.push_back(
            fmt::format("{}: no device has that id; expected \"*\" or a PCI address",
                        infos->path_of(it.key())));
      }
      if (auto info = infos->string_map(it.key())) resource.additional_info[it.key()] = *info;
    }
  }

  std::string default_prefix_;
  std::set<std::string> names_;
  Parsed parsed_;
};

Result<Json> parse_text(std::string_view text) {
  if (text.size() > kMaxSize) {
    return fail(ErrorCode::invalid_argument, "{} bytes; expected at most {}", text.size(),
                kMaxSize);
  }
  if (trim(text).empty()) {
    return fail(ErrorCode::decode,
                "the configuration is empty; expected an object with the key resourceList");
  }
  return trim(text).starts_with('{') ? go_json::parse(text) : parse_yaml(text);
}

}  // namespace

Parsed parse(std::string_view text, std::string_view default_prefix) {
  const auto json = parse_text(text);
  if (!json) return {{}, {json.error()}, {}};
  return Parser(default_prefix).parse(*json);
}

}  // namespace railhead::config
