#include "plugin/config/grammar.hpp"

#include <nlohmann/json.hpp>

#include "plugin/config/names.hpp"

namespace railhead::config {

void Draft::error(std::string_view path, std::string_view message) {
  errors.push_back(Error{ErrorCode::invalid_argument, 0, fmt::format("{}: {}", path, message)});
}

void Draft::error(std::string_view path, std::string_view value, std::string_view message) {
  error(path, fmt::format("{}: {}", value, message));
}

std::optional<uint32_t> Draft::number(Object& object, const char* key, uint32_t least,
                                      uint32_t most) const {
  const Json* value = object.value(key);
  if (!value) return std::nullopt;
  const auto text = go_json::written(*value);
  std::optional<uint32_t> number;
  if (value->is_number_integer() || (numbers_are_text && value->is_string())) {
    number = parse_int<uint32_t>(text);
  }
  if (number && *number >= least && *number <= most) return number;
  const bool is_plain = numbers_are_text || !value->is_string();
  object.error(key, fmt::format("{}: expected a whole number from {} to {}",
                                is_plain ? text : go_json::quote(*value), least, most));
  return std::nullopt;
}

void Draft::read_name(Object& object, std::string_view prefix_of_others, Resource& resource) const {
  const size_t errors_before = errors.size();
  const auto name = object.string("resourceName");
  const auto prefix = object.string("resourcePrefix");
  if (errors.size() != errors_before) return;
  if (!name) return object.error("resourceName", "missing; expected a name such as \"vf\"");
  resource.name = *name;
  resource.prefix = prefix && !prefix->empty() ? *prefix : std::string(prefix_of_others);
  if (!is_resource_name(resource.name)) {
    object.error("resourceName", fmt::format("\"{}\": {}", resource.name, kResourceNameRule));
  }
  if (!is_resource_prefix(resource.prefix)) {
    object.error("resourcePrefix", fmt::format("\"{}\": {}", resource.prefix, kResourcePrefixRule));
  }
}

void report_unknown_keys(const Object& object, Grammar grammar, Level level, Draft& draft) {
  for (const auto& [path, meant] : object.unknown_keys()) {
    const auto key = std::string_view(path).substr(path.rfind('.') + 1);
    const auto selector = level == Level::resource ? selector_named(key, grammar) : "";
    std::string hint;
    if (!selector.empty()) {
      hint = fmt::format("; the selector {} belongs below selectors", selector);
    } else if (!meant.empty()) {
      hint = fmt::format("; is {} meant?", meant);
    } else if (grammar == Grammar::pools) {
      hint = "; docs/configuration.md names those of pools";
    }
    if (grammar == Grammar::pools) {
      draft.error(path, "unknown key" + hint);
    } else {
      draft.warning(fmt::format("{}: unknown key, ignored{}", path, hint));
    }
  }
}

}  // namespace railhead::config
