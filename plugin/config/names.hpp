#pragma once
#include <string_view>

namespace railhead::config {

// What kubelet takes as "prefix/name" of an extended resource; it refuses others when they are
// registered, long after the configuration was read.
[[nodiscard]] bool is_resource_prefix(std::string_view text);
[[nodiscard]] bool is_resource_name(std::string_view text);

constexpr std::string_view kResourcePrefixRule =
    "expected a DNS name in lower case such as \"example.com\", not below kubernetes.io and not "
    "beginning with \"requests.\"";
constexpr std::string_view kResourceNameRule =
    "expected at most 63 letters, digits, '_' and '-', a letter or digit at both ends";

}  // namespace railhead::config
