#pragma once
// What `railhead-agent ipam` reads: files of JSON or YAML, of one document or of several.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace railhead::ipam_tools {

using Json = nlohmann::ordered_json;

// The documents of a text; those of a List (`kubectl get -o yaml`) each by itself. Errors: decode.
[[nodiscard]] Result<std::vector<Json>> documents(std::string_view text);

// A member of an object, or null where there is none. Keys as they are written.
[[nodiscard]] const Json& member(const Json& object, std::string_view key);
// A string's text; "" where it is none.
[[nodiscard]] std::string text_of(const Json& value);
// A whole number of JSON, or a string of YAML that is one.
[[nodiscard]] std::optional<uint32_t> number_of(const Json& value);

}  // namespace railhead::ipam_tools
