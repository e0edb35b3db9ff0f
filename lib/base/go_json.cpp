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

// Whether brackets outside of strings are nested deeper than that.
bool is_too_deep(std::string_view text) {
  size_t depth = 0;
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
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

// nlohmann's parser lets go of a number's text only in events.
class KeepingNumbers final : public nlohmann::json_sax<Json> {
 public:
  Json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t, const string_t& text) override {
    return add(Json::binary({text.begin(), text.end()}));
  }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool key(string_t& value) override {
    key_ = std::move(value);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) override {
    return false;
  }

 private:
  Json& put(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    Json& parent = *open_.back();
    if (parent.is_object()) return parent[key_] = std::move(value);
    parent.push_back(std::move(value));
    return parent.back();
  }
  bool add(Json value) {
    put(std::move(value));
    return true;
  }
  bool open(Json value) {
    // Pointers to values stay good: only the innermost open one grows.
    open_.push_back(&put(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::string key_;  // of the object that is open: its value comes next
  std::vector<Json*> open_;
};

// The text between the last two quotes: "number overflow parsing '3e999'".
std::string_view quoted_in(std::string_view text) {
  const auto end = text.rfind('\'');
  if (end == std::string_view::npos || end == 0) return "a number";
  const auto begin = text.rfind('\'', end - 1);
  return begin == std::string_view::npos ? "a number" : text.substr(begin + 1, end - begin - 1);
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
  } catch (const Json::out_of_range& error) {
    return fail(ErrorCode::decode, "{}: a number in it is too large", quoted_in(error.what()));
  }
}

Result<Json> parse_keeping_numbers(std::string_view text) {
  KeepingNumbers values;
  if (is_too_deep(text) || !Json::sax_parse(text, &values)) return parse(text);  // it says why
  return values.take();
}

std::string written(const Json& value) {
  if (value.is_binary()) return {value.get_binary().begin(), value.get_binary().end()};
  if (value.is_number()) return value.dump();
  return value.is_string() ? value.get<std::string>() : quote(value);
}

std::string quote(const Json& value) {
  constexpr size_t kMost = 60;  // what is longer is quoted in part
  if (value.is_binary() || value.is_number()) return "number " + written(value);
  if (!value.is_string()) return value.type_name();
  const std::string_view text = value.get_ref<const std::string&>();
  if (text.size() <= kMost) return fmt::format("string \"{}\"", text);
  size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // UTF-8
  return fmt::format("string \"{}…\"", text.substr(0, end));
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

bool Object::has(std::string_view key) {
  asked_.emplace_back(key);
  if (!object_.is_object()) return false;
  for (auto it = object_.begin(); it != object_.end(); ++it) {
    if (equal_ignoring_case(it.key(), key)) return true;
  }
  return false;
}

std::optional<std::string> Object::string(std::string_view key) {
  const Json* found = find(key);
  if (!found) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  error(key, fmt::format("expected a string, got {}", quote(*found)));
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
  error(key, fmt::format("expected a whole number, got {}", quote(*found)));
  return std::nullopt;
}

std::optional<bool> Object::boolean(std::string_view key) {
  const Json* found = find(key);
  if (!found) return std::nullopt;
  if (found->is_boolean()) return found->get<bool>();
  error(key, fmt::format("expected true or false, got {}", quote(*found)));
  return std::nullopt;
}

std::optional<std::vector<std::string>> Object::strings(std::string_view key) {
  const Json* found = find(key);
  if (!found) return std::nullopt;
  if (!found->is_array()) {
    error(key, fmt::format("expected a list of strings, got {}", quote(*found)));
    return std::nullopt;
  }
  bool good = true;
  for (size_t i = 0; i < found->size(); ++i) {
    const Json& item = (*found)[i];
    if (item.is_string()) continue;
    good = false;
    const bool is_number = item.is_number() || item.is_binary();
    error(fmt::format("{}[{}]", key, i),
          fmt::format("expected a string{}, got {}",
                      is_number ? fmt::format(" (\"{}\")", written(item)) : "", quote(item)));
  }
  if (good) return found->get<std::vector<std::string>>();
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
                         found->is_object() ? "an object with other values" : quote(*found)));
  return std::nullopt;
}

std::optional<Object> Object::object(std::string_view key) {
  const Json* found = find(key);
  if (!found) return std::nullopt;
  if (found->is_object()) return Object(*found, path_of(key), errors_);
  error(key, fmt::format("expected an object, got {}", quote(*found)));
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
