#include "base/go_json.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace railhead::go_json {

using Json = nlohmann::ordered_json;

namespace {

// Where byte `offset` stands, counted from 1.
std::string place(std::string_view text, size_t offset) {
  const auto before = text.substr(0, std::min(offset, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto start = before.rfind('\n');
  return fmt::format("line {}, column {}", line,
                     before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1);
}

// How deep objects and lists may stand in each other. Go refuses at 10 000; what walks a value
// here does so recursively, on a stack that must hold it.
constexpr int kMaxDepth = 1000;

// Whether brackets outside of strings are nested deeper than that.
bool is_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

}  // namespace

Result<Json> parse(std::string_view text) {
  if (is_too_deep(text)) return fail(ErrorCode::decode, "nested more than {} deep", kMaxDepth);
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: <the useful part>"
    std::string_view what = error.what();
    if (auto colon = what.find(": "); colon != std::string_view::npos)
      what.remove_prefix(colon + 2);
    return fail(ErrorCode::decode, "{}: {}", place(text, error.byte ? error.byte - 1 : 0), what);
  } catch (const Json::out_of_range&) {
    return fail(ErrorCode::decode, "a number in it is too large");
  }
}

Object::Object(const Json& object, Path path, std::vector<Error>& errors)
    : object_(object), path_(std::move(path)), errors_(errors) {}

Path Object::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

void Object::error(std::string_view key, std::string_view message) {
  errors_.push_back(
      Error{ErrorCode::invalid_argument, 0, fmt::format("{}: {}", path_of(key), message)});
}

const Json* Object::find(std::string_view key) {
  asked_.emplace_back(key);
  const Json* found = nullptr;
  if (!object_.is_object()) return found;
  for (auto it = object_.begin(); it != object_.end(); ++it) {
    if (equal_ignoring_case(it.key(), key) && !it->is_null()) found = &*it;  // the last one wins
  }
  return found;
}

const Json* Object::value(std::string_view key) { return find(key); }

std::optional<std::string> Object::string(std::string_view key) {
  const Json* found = find(key);
  if (!found) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  error(key, fmt::format("expected a string, got {}", found->type_name()));
  return std::nullopt;
}

std::optional<int64_t> Object::integer(std::string_view key) {
  const Json* found = find(key);
  if (!found) return std::nullopt;
  if (found->is_number_integer()) {
    if (!found->is_number_unsigned() || found->get<uint64_t>() <= INT64_MAX) {
      return found->get<int64_t>();
    }
  }
  error(key, fmt::format("expected a whole number, got {}",
                         found->is_number() ? found->dump() : found->type_name()));
  return std::nullopt;
}

std::optional<bool> Object::boolean(std::string_view key) {
  const Json* found = find(key);
  if (!found) return std::nullopt;
  if (found->is_boolean()) return found->get<bool>();
  error(key, fmt::format("expected true or false, got {}", found->type_name()));
  return std::nullopt;
}

std::optional<std::vector<std::string>> Object::strings(std::string_view key) {
  const Json* found = find(key);
  if (!found) return std::nullopt;
  const auto is_string = [](const Json& item) { return item.is_string(); };
  if (found->is_array() && std::all_of(found->begin(), found->end(), is_string)) {
    return found->get<std::vector<std::string>>();
  }
  error(key, fmt::format("expected a list of strings, got {}",
                         found->is_array() ? "a list with other values" : found->type_name()));
  return std::nullopt;
}

std::optional<std::map<std::string, std::string>> Object::string_map(std::string_view key) {
  const Json* found = find(key);
  if (!found) return std::nullopt;
  std::map<std::string, std::string> map;
  bool good = found->is_object();
  if (good) {
    for (auto it = found->begin(); it != found->end(); ++it) {
      if (!it->is_string()) good = false;
      if (good) map[it.key()] = it->get<std::string>();
    }
  }
  if (good) return map;
  error(key, fmt::format("expected an object of strings, got {}",
                         found->is_object() ? "an object with other values" : found->type_name()));
  return std::nullopt;
}

std::optional<Object> Object::object(std::string_view key) {
  const Json* found = find(key);
  if (!found) return std::nullopt;
  if (found->is_object()) return Object(*found, path_of(key), errors_);
  error(key, fmt::format("expected an object, got {}", found->type_name()));
  return std::nullopt;
}

std::vector<UnknownKey> Object::unknown_keys() const {
  std::vector<UnknownKey> unknown;
  if (!object_.is_object()) return unknown;
  for (auto it = object_.begin(); it != object_.end(); ++it) {
    const bool known = std::any_of(asked_.begin(), asked_.end(), [&](const std::string& asked) {
      return equal_ignoring_case(asked, it.key());
    });
    if (!known) unknown.push_back({path_of(it.key()), nearest(it.key(), asked_)});
  }
  return unknown;
}

}  // namespace railhead::go_json
