// The grammar of sriov-network-device-plugin, and what pools have in common with it.
#include <array>

#include <nlohmann/json.hpp>

#include "plugin/config/grammar.hpp"

namespace railhead::config {
namespace {

DeviceType read_device_type(Object& object) {
  struct Name {
    const char* text;
    DeviceType type;
  };
  constexpr std::array kNames = {Name{"netDevice", DeviceType::net},
                                 Name{"accelerator", DeviceType::accelerator},
                                 Name{"auxNetDevice", DeviceType::auxiliary}};
  const auto text = object.string("deviceType");
  if (!text || text->empty()) return DeviceType::net;
  for (const auto& name : kNames) {
    if (*text == name.text) return name.type;
  }
  object.error(
      "deviceType",
      fmt::format("\"{}\": expected \"netDevice\", \"accelerator\" or \"auxNetDevice\"", *text));
  return DeviceType::net;
}

void read_selectors(Object& object, Grammar grammar, Resource& resource, Draft& draft) {
  const Json* json = object.value("selectors");
  if (!json) {
    return object.error("selectors", "missing; expected an object, or a list of objects");
  }
  const auto path = object.path_of("selectors");
  if (json->is_object()) {
    resource.selectors.push_back(read_selector(*json, path, grammar, resource.type, draft));
    return;
  }
  if (!json->is_array()) {
    return object.error("selectors", fmt::format("expected an object, or a list of objects, got {}",
                                                 go_json::quote(*json)));
  }
  if (json->empty()) object.error("selectors", "expected at least one selector, got none");
  for (size_t i = 0; i < json->size(); ++i) {
    resource.selectors.push_back(
        read_selector((*json)[i], fmt::format("{}[{}]", path, i), grammar, resource.type, draft));
  }
}

void read_additional_info(Object& object, Resource& resource, Draft& draft) {
  auto infos = object.object("additionalInfo");
  if (!infos) return;
  const Json& json = *object.value("additionalInfo");
  for (auto it = json.begin(); it != json.end(); ++it) {
    if (it.key() != "*" && !PciAddress::parse(it.key()) && resource.type != DeviceType::auxiliary) {
      draft.warning(fmt::format("{}: no device has that id; expected \"*\" or a PCI address",
                                infos->path_of(it.key())));
    }
    if (auto info = infos->string_map(it.key())) resource.additional_info[it.key()] = *info;
  }
}

}  // namespace

void read_device_keys(Object& object, Grammar grammar, Resource& resource, Draft& draft) {
  resource.type = read_device_type(object);
  resource.exclude_topology = object.boolean("excludeTopology").value_or(false);
  read_selectors(object, grammar, resource, draft);
  read_additional_info(object, resource, draft);
}

void read_resource_list_item(Object& object, Resource& resource, Draft& draft) {
  draft.read_name(object, draft.default_prefix, resource);
  read_device_keys(object, Grammar::resource_list, resource, draft);
  // Written as null by generators; selectors has been read already.
  static_cast<void>(object.value("SelectorObj"));
  static_cast<void>(object.value("SelectorObjs"));
  report_unknown_keys(object, Grammar::resource_list, Level::resource, draft);
}

}  // namespace railhead::config
