#pragma once
// JSON whose members are kept as they were written: a configuration that is only passed on must not
// lose a digit of a number, a key it repeats, or its spelling. Keys match as in go_json.hpp.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace railhead {

class RawObject {
 public:
  // Errors: decode (no JSON, or none that is an object). null is an empty object.
  static Result<RawObject> parse(std::string_view text);
  // Of a text that is known to be an object.
  static RawObject of(std::string_view text);

  // The text of a member's value; nothing where it is missing. Of several the last.
  [[nodiscard]] std::optional<std::string_view> get(std::string_view key) const;
  // How many members have that key.
  [[nodiscard]] size_t count(std::string_view key) const;
  // Puts a value's text in the place of every member of that key.
  void set(std::string_view key, std::string value);
  void erase(std::string_view key);

  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::pair<std::string, std::string>> members_;  // key, and its value's text
};

// The texts of a list's values. Errors: decode.
Result<std::vector<std::string>> raw_elements(std::string_view list);

// A text as JSON writes it, in quotes. What is no UTF-8 becomes U+FFFD.
std::string json_string(std::string_view text);

}  // namespace railhead
