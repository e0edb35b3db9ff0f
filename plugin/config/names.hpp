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

// What a device may be called by, as sysfs writes it.
[[nodiscard]] bool is_hex_id(std::string_view text);  // a PCI id: "15b3"
[[nodiscard]] bool is_p_key(std::string_view text);   // "0x8001"
[[nodiscard]] bool is_acpi_index(std::string_view text);
// A netdev's (dev_valid_name() of the kernel).
[[nodiscard]] bool is_interface_name(std::string_view text);
// A file's name that is no PCI address.
[[nodiscard]] bool is_driver_name(std::string_view text);
// Not empty, no control characters, no blank at its ends.
[[nodiscard]] bool is_plain_text(std::string_view text);

constexpr std::string_view kInterfaceNameRule =
    "a netdev's name of at most 15 characters such as \"ens1f0\"";

}  // namespace railhead::config
