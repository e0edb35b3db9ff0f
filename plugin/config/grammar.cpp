#include "plugin/config/grammar.hpp"

#include <nlohmann/json.hpp>

#include "plugin/config/names.hpp"

namespace railhead::config {

void Draft::error(std::string_view path, std::string_view message) {
  parsed.errors.push_back(
      Error{ErrorCode::invalid_argument, 0, fmt::format("{}: {}", path, message)});
}

void Draft::error(std::string_view path, std::string_view value, std::string_view message) {
  error(path, fmt::format("{}: {}", value, message));
}

std::vector<const Json*> Draft::items(Object& object, const char* key, std::string_view of_what) {
  std::vector<const Json*> items;
  const Json* list = object.value(key);
  if (list && !list->is_array()) {
    object.error(key, fmt::format("expected a list of {}, got {}", of_what, list->type_name()));
  }
  if (!list || !list->is_array()) return items;
  for (const auto& item : *list) items.push_back(&item);
  return items;
}

std::optional<uint32_t> Draft::number(Object& object, const char* key, uint32_t least,
                                      uint32_t most) const {
  const Json* value = object.value(key);
  if (!value) return std::nullopt;
  std::optional<uint32_t> number;
  std::string text = value->dump(-1, ' ', false, Json::error_handler_t::replace);
  if (value->is_number_integer()) number = parse_int<uint32_t>(text);
  if (numbers_are_text && value->is_string()) {
    text = value->get<std::string>();
    number = parse_int<uint32_t>(text);
  }
  if (number && *number >= least && *number <= most) return number;
  object.error(key, fmt::format("{}: expected a whole number from {} to {}", text, least, most));
  return std::nullopt;
}

void Draft::read_name(Object& object, std::string_view prefix_of_others, Resource& resource) const {
  const size_t errors_before = parsed.errors.size();
  const auto name = object.string("resourceName");
  const auto prefix = object.string("resourcePrefix");
  if (parsed.errors.size() != errors_before) return;
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

void Draft::add(Resource resource, std::string path) {
  parsed.config.resources.push_back(std::move(resource));
  paths.push_back(std::move(path));
}

void report_unknown_keys(const Object& object, Grammar grammar, Draft& draft) {
  for (const auto& [path, meant] : object.unknown_keys()) {
    const auto hint = meant.empty() ? "" : fmt::format("; is {} meant?", meant);
    if (grammar == Grammar::pools) {
      draft.error(
          path, fmt::format("unknown key{}",
                            meant.empty() ? "; docs/configuration.md names those of pools" : hint));
    } else {
      draft.warning(fmt::format("{}: unknown key, ignored{}", path, hint));
    }
  }
}

}  // namespace railhead::config
