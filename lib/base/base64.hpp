#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace railhead {

// RFC 4648 §4, with padding, as Go's encoding/json writes bytes. Nothing for another text.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace railhead
