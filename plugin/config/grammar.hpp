#pragma once
// What the three grammars are read with and into.
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/go_json.hpp"
#include "plugin/config/config.hpp"

namespace railhead::config {

using Json = nlohmann::ordered_json;
using go_json::Object;

// One file while it is read.
struct Draft {
  std::string default_prefix;
  bool numbers_are_text = false;  // YAML: see yaml.hpp
  Parsed parsed;
  std::vector<std::string> paths;  // of each of parsed.config.resources: "pools[0]"

  void error(std::string_view path, std::string_view message);
  void error(std::string_view path, std::string_view value, std::string_view message);
  void warning(std::string message) { parsed.warnings.push_back(std::move(message)); }
  // The items of a list; an error, and none, where it is no list.
  [[nodiscard]] std::vector<const Json*> items(Object& object, const char* key,
                                               std::string_view of_what);
  // Nothing when it is missing, or out of these bounds, which is an error.
  [[nodiscard]] std::optional<uint32_t> number(Object& object, const char* key, uint32_t least,
                                               uint32_t most) const;
  // resourceName and resourcePrefix.
  void read_name(Object& object, std::string_view default_prefix, Resource& resource) const;
  void add(Resource resource, std::string path);
};

// Each reads one item of its list. Keys nobody knows are warned of; in pools they are errors.
void read_resource_list_item(const Json& json, const std::string& path, Draft& draft);
void read_config_list_item(const Json& json, const std::string& path, Draft& draft);
void read_pools_item(const Json& json, const std::string& path, Draft& draft);

// What resourceList and pools have in common: deviceType, selectors, excludeTopology and
// additionalInfo.
enum class Grammar { resource_list, config_list, pools };
void read_device_keys(Object& object, Grammar grammar, Resource& resource, Draft& draft);

// The selector that an object stands for, with the keys that the grammar has for the device type.
[[nodiscard]] Selector read_selector(const Json& json, const std::string& path, Grammar grammar,
                                     DeviceType type, Draft& draft);
void report_unknown_keys(const Object& object, Grammar grammar, Draft& draft);

}  // namespace railhead::config
