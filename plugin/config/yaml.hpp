#pragma once
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/error.hpp"

namespace railhead::config {

// One YAML document as the JSON value it stands for. Plain true, false and null, also True, TRUE
// and the like and ~ (YAML 1.2, 10.3.2), are what they are in JSON; every other scalar is a string,
// because PCI ids such as 8086 must not become numbers. Aliases are refused (they can blow up), so
// are more than 32 levels and a second document. Errors: decode, with line and column.
[[nodiscard]] Result<nlohmann::ordered_json> parse_yaml(std::string_view text);

}  // namespace railhead::config
