#include "cnispec/network_list.hpp"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/raw_json.hpp"
#include "base/text.hpp"
#include "cnispec/names.hpp"
#include "cnispec/version.hpp"

namespace railhead::cnispec {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::string_view kWho = "error parsing configuration list";

// Keys that say what is run and with which device, and the objects that have some.
constexpr std::string_view kOnce[] = {"type", "ipam", "deviceID", "pciBusID", "runtimeConfig"};

// Programs differ in which of two keys they take that are equal but for case: what was checked
// might not be what is done.
Result<void> refuse_twice(const RawObject& object, std::string_view place) {
  for (const auto key : kOnce) {
    if (object.count(key) < 2) continue;
    return fail(ErrorCode::invalid_argument,
                "error parsing configuration: {}{} stands there more than once (whatever its "
                "case): expected once",
                place, key);
  }
  return {};
}

Result<PluginConf> read_plugin(std::string_view text) {
  const auto json = go_json::parse(text);
  if (!json) return pass(json, "error parsing configuration");
  if (!json->is_object()) {
    return fail(ErrorCode::decode, "error parsing configuration: expected an object, got {}",
                go_json::quote(*json));
  }
  std::vector<Error> errors;
  go_json::Object object(*json, "", errors);
  PluginConf plugin{object.string("type").value_or(""), std::string(trim(text)), {}, {}};
  if (auto ipam = object.object("ipam")) plugin.ipam_type = ipam->string("type").value_or("");
  if (auto capabilities = object.object("capabilities")) {
    for (const auto& [name, is_asked] : object.value("capabilities")->items()) {
      if (is_asked.is_boolean() && is_asked.get<bool>()) plugin.capabilities.push_back(name);
    }
  }
  if (!errors.empty()) {
    return fail(ErrorCode::decode, "error parsing configuration: {}", errors.front().message);
  }
  if (plugin.type.empty()) {
    return fail(ErrorCode::invalid_argument, "error parsing configuration: missing 'type'");
  }
  const auto raw = RawObject::of(plugin.text);
  if (auto once = refuse_twice(raw, ""); !once) return pass(once);
  for (const std::string_view below : {"ipam", "runtimeConfig"}) {
    const auto part = RawObject::parse(raw.get(below).value_or("{}"));
    if (!part) return pass(part, fmt::format("error parsing configuration: {}", below));
    if (auto once = refuse_twice(*part, fmt::format("{}.", below)); !once) return pass(once);
  }
  return plugin;
}

// A bool, or a text that is one.
Result<bool> read_switch(const go_json::Object& object, const Json* value, std::string_view key) {
  if (!value) return false;
  if (value->is_boolean()) return value->get<bool>();
  if (value->is_string()) {
    const auto word = to_lower(value->get<std::string>());
    if (word == "true" || word == "false") return word == "true";
  }
  return fail(ErrorCode::decode,
              "{}: invalid {} value {}: expected a boolean, or \"true\" or "
              "\"false\"",
              kWho, object.path_of(key), go_json::quote(*value));
}

Result<std::string> read_version(go_json::Object& object) {
  std::optional<Version> best;
  std::string text = object.string("cniVersion").value_or("");
  for (const auto& one : object.strings("cniVersions").value_or(std::vector<std::string>{})) {
    const auto version = Version::parse(one);
    if (!version) {
      return fail(ErrorCode::decode, "{}: invalid cniVersions entry \"{}\"", kWho, one);
    }
    if (!is_supported(one) || (best && *version <= *best)) continue;
    best = version;
  }
  if (const auto stated = Version::parse(text);
      best && (!stated || *best > *stated || !is_supported(text))) {
    text = fmt::format("{}.{}.{}", best->major, best->minor, best->micro);
  }
  return text.empty() ? std::string(kImpliedVersion) : text;
}

}  // namespace

bool NetworkList::has_capability(std::string_view capability) const {
  return std::any_of(plugins.begin(), plugins.end(), [&](const PluginConf& plugin) {
    return std::ranges::find(plugin.capabilities, capability) != plugin.capabilities.end();
  });
}

Result<NetworkList> parse_network(std::string_view text, std::string_view name) {
  const auto json = go_json::parse(text);
  if (!json) return pass(json, kWho);
  if (!json->is_object()) {
    return fail(ErrorCode::decode, "{}: expected an object, got {}", kWho, go_json::quote(*json));
  }
  std::vector<Error> errors;
  go_json::Object object(*json, "", errors);
  NetworkList list;
  list.name = object.string("name").value_or("");
  if (list.name.empty()) list.name = name;
  auto version = read_version(object);
  if (!errors.empty()) return fail(ErrorCode::decode, "{}: {}", kWho, errors.front().message);
  if (!version) return pass(version);
  list.cni_version = std::move(*version);
  if (list.name.empty()) return fail(ErrorCode::invalid_argument, "{}: no name", kWho);
  if (auto good = check_network_name(list.name); !good) return pass(good);

  const auto* plugins = object.value("plugins");
  if (!plugins) {
    auto plugin = read_plugin(text);
    if (!plugin) return pass(plugin);
    list.plugins.push_back(std::move(*plugin));
    return list;
  }
  for (auto [key, value] :
       {std::pair{"disableCheck", &list.disable_check}, std::pair{"disableGC", &list.disable_gc},
        std::pair{"loadOnlyInlinedPlugins", &list.only_inlined_plugins}}) {
    const auto asked = read_switch(object, object.value(key), key);
    if (!asked) return pass(asked);
    *value = *asked;
  }
  if (!plugins->is_array()) {
    return fail(ErrorCode::decode, "{}: invalid 'plugins' type {}", kWho, plugins->type_name());
  }
  const auto raw = RawObject::parse(text);
  const auto elements = raw ? raw_elements(raw->get("plugins").value_or("[]")) : pass(raw);
  if (!elements) return pass(elements, kWho);
  if (elements->empty()) return fail(ErrorCode::invalid_argument, "{}: no plugins in list", kWho);
  for (size_t i = 0; i < elements->size(); ++i) {
    auto plugin = read_plugin((*elements)[i]);
    if (!plugin) return pass(plugin, fmt::format("plugins[{}]", i));
    list.plugins.push_back(std::move(*plugin));
  }
  return list;
}

std::string plugin_input(const NetworkList& list, const PluginConf& plugin,
                         const CapabilityArgs& arguments) {
  auto input = RawObject::of(plugin.text);
  input.erase("prevResult");
  input.set("name", json_string(list.name));
  input.set("cniVersion", json_string(list.cni_version));
  std::string runtime;
  for (const auto& [capability, value] : arguments) {
    if (std::ranges::find(plugin.capabilities, capability) == plugin.capabilities.end()) continue;
    runtime += fmt::format("{}{}:{}", runtime.empty() ? "" : ",", json_string(capability), value);
  }
  if (!runtime.empty()) input.set("runtimeConfig", "{" + runtime + "}");
  return input.text();
}

std::string with_prev_result(std::string_view input, const std::string& prev_result) {
  if (prev_result.empty()) return std::string(input);
  return fmt::format("{},\"prevResult\":{}}}", input.substr(0, input.size() - 1), prev_result);
}

}  // namespace railhead::cnispec
