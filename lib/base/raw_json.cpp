#include "base/raw_json.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/text.hpp"

namespace railhead {
namespace {

using Json = nlohmann::ordered_json;

// The texts between the commas, and of an object's members the colons, of the outermost level. The
// text is JSON, as a parser has found already.
std::vector<std::string_view> outermost_parts(std::string_view text) {
  std::vector<std::string_view> parts;
  size_t depth = 0;
  size_t begin = 0;
  bool in_string = false;
  const auto take = [&](size_t end) {
    if (const auto part = trim(text.substr(begin, end - begin)); !part.empty()) {
      parts.push_back(part);
    }
    begin = end + 1;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth == 1) begin = i + 1;
    } else if (c == '}' || c == ']') {
      if (--depth == 0) take(i);
    } else if (depth == 1 && (c == ',' || c == ':')) {
      take(i);
    }
  }
  return parts;
}

// A key without its quotes; one that is escaped somewhere costs a parser.
std::string key_of(std::string_view text) {
  if (text.find('\\') != std::string_view::npos) return Json::parse(text).get<std::string>();
  return std::string(text.substr(1, text.size() - 2));
}

}  // namespace

Result<RawObject> RawObject::parse(std::string_view text) {
  const auto json = go_json::parse(text);
  if (!json) return pass(json);
  if (json->is_null()) return RawObject();
  if (!json->is_object()) {
    return fail(ErrorCode::decode, "expected an object, got {}", go_json::quote(*json));
  }
  return of(text);
}

RawObject RawObject::of(std::string_view text) {
  RawObject object;
  const auto parts = outermost_parts(text);
  for (size_t i = 0; i + 1 < parts.size(); i += 2) {
    object.members_.emplace_back(key_of(parts[i]), parts[i + 1]);
  }
  return object;
}

std::optional<std::string_view> RawObject::get(std::string_view key) const {
  std::optional<std::string_view> found;
  for (const auto& [name, value] : members_) {
    if (name == key) found = value;
  }
  if (found) return found;
  for (const auto& [name, value] : members_) {
    if (equal_ignoring_case(name, key)) found = value;
  }
  return found;
}

size_t RawObject::count(std::string_view key) const {
  return static_cast<size_t>(std::count_if(members_.begin(), members_.end(), [&](const auto& one) {
    return equal_ignoring_case(one.first, key);
  }));
}

void RawObject::erase(std::string_view key) {
  std::erase_if(members_, [&](const auto& one) { return equal_ignoring_case(one.first, key); });
}

void RawObject::set(std::string_view key, std::string value) {
  erase(key);
  members_.emplace_back(key, std::move(value));
}

std::string RawObject::text() const {
  std::string all = "{";
  for (const auto& [key, value] : members_) {
    if (all.size() > 1) all += ',';
    all += json_string(key) + ":" + value;
  }
  return all + "}";
}

Result<std::vector<std::string>> raw_elements(std::string_view list) {
  const auto json = go_json::parse(list);
  if (!json) return pass(json);
  if (!json->is_array()) {
    return fail(ErrorCode::decode, "expected a list, got {}", go_json::quote(*json));
  }
  std::vector<std::string> elements;
  for (const auto part : outermost_parts(list)) elements.emplace_back(part);
  return elements;
}

std::string json_string(std::string_view text) {
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace railhead
