#include "base/go_json.hpp"

#include <algorithm>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace railhead::go_json {

using Json = nlohmann::ordered_json;

namespace {

// For how many unknown keys it is said which key was meant.
constexpr size_t kToldKeys = 16;

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

// The text between the last two quotes: "number overflow parsing '3e999'".
std::string_view quoted_in(std::string_view text) {
  const auto end = text.rfind('\'');
  if (end == std::string_view::npos || end == 0) return "a number";
  const auto begin = text.rfind('\'', end - 1);
  return begin == std::string_view::npos ? "a number" : text.substr(begin + 1, end - begin - 1);
}

// Builds the value of a text. An ordered object of nlohmann's looks through all its keys for each
// new one: here each open object has an index of them, so that a text costs what its length does.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  // nlohmann's parser lets go of a number's text only in events.
  explicit Builder(bool keeps_numbers) : keeps_numbers_(keeps_numbers) {}

  // Once, at the end.
  Result<Json> take(bool is_whole, std::string_view text) {
    if (is_whole) return std::move(root_);
    if (is_too_large_) {
      return fail(ErrorCode::decode, "{}: a number in it is too large", why_);
    }
    return fail(ErrorCode::decode, "{}: {}", place(text, at_ != 0 ? at_ - 1 : 0), why_);
  }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    return keeps_numbers_ ? add(Json::binary({text.begin(), text.end()})) : add(value);
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
  bool parse_error(std::size_t position, const std::string&,
                   const Json::exception& error) override {
    is_too_large_ = dynamic_cast<const Json::out_of_range*>(&error) != nullptr;
    at_ = position;
    std::string_view what = error.what();
    if (is_too_large_) {
      what = quoted_in(what);
    } else if (const auto colon = what.find(": "); colon != std::string_view::npos) {
      // "[json.exception.parse_error.101] parse error at line 1, column 2: <the useful part>"
      what.remove_prefix(colon + 2);
    }
    why_ = what;
    return false;
  }

 private:
  struct Open {
    Json* value;
    std::unordered_map<std::string, size_t> places;  // of an object's keys
  };

  Json& put(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    auto& [parent, places] = open_.back();
    if (!parent->is_object()) {
      parent->push_back(std::move(value));
      return parent->back();
    }
    auto& items = parent->get_ref<Json::object_t&>();
    const auto [place, is_first] = places.try_emplace(key_, items.size());
    if (!is_first) {  // the last one wins
      return std::next(items.begin(), static_cast<std::ptrdiff_t>(place->second))->second =
                 std::move(value);
    }
    return items.emplace_back(key_, std::move(value)).second;
  }
  bool add(Json value) {
    put(std::move(value));
    return true;
  }
  bool open(Json value) {
    // Pointers to values stay good: only the innermost open one grows.
    open_.push_back({&put(std::move(value)), {}});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const bool keeps_numbers_;
  Json root_;
  std::string key_;  // of the object that is open: its value comes next
  std::vector<Open> open_;
  std::string why_;  // the text is wrong
  size_t at_ = 0;    // and where, counted from 1; 0: not known
  bool is_too_large_ = false;
};

Result<Json> parse(std::string_view text, bool keeps_numbers) {
  if (is_too_deep(text)) return fail(ErrorCode::decode, "nested more than {} deep", kMaxDepth);
  // To nlohmann's lexer it is the end of the text, whatever comes behind it.
  if (const auto at = text.find('\0'); at != std::string_view::npos) {
    return fail(ErrorCode::decode, "{}: a NUL byte", place(text, at));
  }
  Builder builder(keeps_numbers);
  const bool is_whole = Json::sax_parse(text, &builder);
  return builder.take(is_whole, text);
}

}  // namespace

Result<Json> parse(std::string_view text) { return parse(text, false); }

Result<Json> parse_keeping_numbers(std::string_view text) { return parse(text, true); }

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

std::optional<std::vector<Object>> Object::objects(std::string_view key) {
  const Json* found = find(key);
  if (!found) return std::nullopt;
  if (!found->is_array()) {
    error(key, fmt::format("expected a list of objects, got {}", quote(*found)));
    return std::nullopt;
  }
  std::vector<Object> all;
  for (size_t i = 0; i < found->size(); ++i) {
    const Json& item = (*found)[i];
    const auto name = fmt::format("{}[{}]", key, i);
    if (item.is_object()) {
      all.emplace_back(item, path_of(name), errors_);
    } else {
      error(name, fmt::format("expected an object, got {}", quote(item)));
    }
  }
  return all;
}

std::vector<UnknownKey> Object::unknown_keys() const {
  std::vector<UnknownKey> unknown;
  if (!object_.is_object()) return unknown;
  for (auto it = object_.begin(); it != object_.end(); ++it) {
    const bool known = std::any_of(asked_.begin(), asked_.end(), [&](const std::string& asked) {
      return equal_ignoring_case(asked, it.key());
    });
    if (known) continue;
    const bool is_told = unknown.size() < kToldKeys;  // a list of thousands is read by nobody
    unknown.push_back({path_of(it.key()), is_told ? nearest(it.key(), asked_) : ""});
  }
  return unknown;
}

}  // namespace railhead::go_json
