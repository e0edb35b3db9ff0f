#pragma once
// devlink over generic netlink (linux/devlink.h, linux/genetlink.h).
#include <optional>
#include <string>

#include "netlink/wire.hpp"

namespace railhead::netlink {

Request get_generic_family(std::string_view name);
Result<uint16_t> decode_generic_family(const Message& message);  // its id. Errors: decode.
// The id of one of its multicast groups; nothing when it has no such. Errors: decode.
Result<std::optional<uint32_t>> decode_generic_group(const Message& message, std::string_view name);

Request get_info(uint16_t devlink_family, std::string_view pci);
// The running version of the component `name` in an answer to it; nothing when it has none.
// Errors: decode.
Result<std::optional<std::string>> decode_running_version(const Message& message,
                                                          std::string_view name);

}  // namespace railhead::netlink
