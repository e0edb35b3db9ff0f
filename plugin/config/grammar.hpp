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

enum class Grammar { resource_list, config_list, pools };

// What is read of one place of a file: its top, or an item of a list.
struct Draft {
  std::string default_prefix;
  bool numbers_are_text = false;  // YAML: see yaml.hpp
  std::vector<Error> errors;      // each ends what is read here
  std::vector<std::string> warnings;

  void error(std::string_view path, std::string_view message);
  void error(std::string_view path, std::string_view value, std::string_view message);
  void warning(std::string message) { warnings.push_back(std::move(message)); }
  // Nothing when it is missing, or out of these bounds, which is an error.
  [[nodiscard]] std::optional<uint32_t> number(Object& object, const char* key, uint32_t least,
                                               uint32_t most) const;
  // resourceName and resourcePrefix.
  void read_name(Object& object, std::string_view default_prefix, Resource& resource) const;
};

// Each reads one item of its list, an object. Keys nobody knows are warned of; in pools they are
// errors, and so is what no device can have.
void read_resource_list_item(Object& object, Resource& resource, Draft& draft);
void read_config_list_item(Object& object, Resource& resource, Draft& draft);
void read_pools_item(Object& object, Resource& resource, Draft& draft);

// What resourceList and pools have in common: deviceType, selectors, excludeTopology and
// additionalInfo.
void read_device_keys(Object& object, Grammar grammar, Resource& resource, Draft& draft);

// The selector that an object stands for, with the keys that the grammar has for the device type.
[[nodiscard]] Selector read_selector(const Json& json, const std::string& path, Grammar grammar,
                                     DeviceType type, Draft& draft);
// The name of the grammar's selector that `key` means, whatever its case; "" for another key.
[[nodiscard]] std::string selector_named(std::string_view key, Grammar grammar);

// A list of netdevs, as selectors.ifNames is; configList has an older key for it.
void read_if_names(Object& object, const char* key, Grammar grammar, Selector& selector,
                   Draft& draft);

// A selector that stands beside `selectors`, in the resource itself, is told where it belongs.
enum class Level { top, resource, selector, health };
void report_unknown_keys(const Object& object, Grammar grammar, Level level, Draft& draft);

}  // namespace railhead::config
