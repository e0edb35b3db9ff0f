#pragma once
// Reading JSON as Go's encoding/json reads it into a struct, because the configurations this
// project takes over were written for Go programs: a key matches a field without regard to case,
// unknown keys are ignored (and told), the last duplicate wins, null leaves the default, and a
// wrong type is an error that names the key.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.hpp"

namespace railhead::go_json {

// Where a value stands, for messages: "resourceList[0].selectors.vendors".
using Path = std::string;

// How deep objects and lists may stand in each other. Go refuses at 10 000; what walks a value
// here does so recursively, on a stack that must hold it.
constexpr size_t kMaxDepth = 1000;

// Parses text strictly (trailing text is an error); decode errors name line and column.
Result<nlohmann::ordered_json> parse(std::string_view text);
// The same for a text whose numbers are whole or wrong: one that is not a 64-bit integer (1e3, 0.5)
// comes as a binary value, which JSON text has none of, so that an error quotes it as it is
// written.
Result<nlohmann::ordered_json> parse_keeping_numbers(std::string_view text);

// How an error quotes a value: "number 1e3", "string \"yes\"", "array".
std::string quote(const nlohmann::ordered_json& value);
// A number as it is written, a string as it is; of other values what quote() says.
std::string written(const nlohmann::ordered_json& value);

struct UnknownKey {
  Path path;
  std::string meant;  // the key asked for that differs from it by a slip or two; empty: none does
  friend bool operator==(const UnknownKey&, const UnknownKey&) = default;
};

// One JSON object seen as a struct. Getters return nothing when the key is missing or null; a
// wrong type is put into `errors` (with its path and what was expected) and reads as missing.
// The JSON value must outlive it.
class Object {
 public:
  Object(const nlohmann::ordered_json& object, Path path, std::vector<Error>& errors);

  std::optional<std::string> string(std::string_view key);
  std::optional<int64_t> integer(std::string_view key);
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::vector<std::string>> strings(std::string_view key);
  std::optional<std::map<std::string, std::string>> string_map(std::string_view key);
  // Whether the key is there, null or not.
  bool has(std::string_view key);
  // The raw value, or null pointer when missing or null.
  const nlohmann::ordered_json* value(std::string_view key);
  // An object below; nothing when missing, null or of a wrong type.
  std::optional<Object> object(std::string_view key);
  // Those of a list below, but for what is none and an error therefore.
  std::optional<std::vector<Object>> objects(std::string_view key);

  [[nodiscard]] Path path_of(std::string_view key) const;
  void error(std::string_view key, std::string_view message);
  // The keys nothing asked for.
  [[nodiscard]] std::vector<UnknownKey> unknown_keys() const;

 private:
  const nlohmann::ordered_json* find(std::string_view key);

  const nlohmann::ordered_json& object_;
  Path path_;
  std::vector<Error>& errors_;
  std::vector<std::string> asked_;
};

}  // namespace railhead::go_json
