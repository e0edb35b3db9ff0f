#include "plugin/ipam/documents.hpp"

#include "base/go_json.hpp"
#include "base/text.hpp"
#include "plugin/config/yaml.hpp"

namespace railhead::ipam_tools {
namespace {

// YAML's documents, which a line of "---" divides.
std::vector<std::string> divided(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const auto line : split(text, '\n')) {
    if (trim(line) == "---") {
      parts.emplace_back();
    } else {
      parts.back() += std::string(line) + "\n";
    }
  }
  std::erase_if(parts, [](const std::string& part) { return trim(part).empty(); });
  return parts;
}

void add(std::vector<Json>& all, Json document) {
  if (document.is_null()) return;
  const auto& items = member(document, "items");
  if (!items.is_array()) {
    all.push_back(std::move(document));
    return;
  }
  for (const auto& item : items) all.push_back(item);
}

}  // namespace

Result<std::vector<Json>> documents(std::string_view text) {
  std::vector<Json> all;
  if (trim(text).starts_with('{') || trim(text).starts_with('[')) {
    auto json = go_json::parse(text);
    if (!json) return pass(json);
    add(all, std::move(*json));
    return all;
  }
  for (const auto& part : divided(text)) {
    auto json = config::parse_yaml(part);
    if (!json) return pass(json);
    add(all, std::move(*json));
  }
  return all;
}

const Json& member(const Json& object, std::string_view key) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(std::string(key));
  return found == object.end() ? none : *found;
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : ""; }

std::optional<uint32_t> number_of(const Json& value) {
  if (value.is_string()) return parse_int<uint32_t>(value.get<std::string>());
  if (!value.is_number_integer()) return std::nullopt;
  const auto number = value.get<int64_t>();
  if (number < 0 || number > UINT32_MAX) return std::nullopt;
  return static_cast<uint32_t>(number);
}

}  // namespace railhead::ipam_tools
