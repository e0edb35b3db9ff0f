#include "ipc/message.hpp"

#include <cstdint>

namespace railhead::ipc {

Result<std::string> to_message(std::string_view text) {
  if (text.empty() || text.size() > kMaxTextBytes) {
    return fail(ErrorCode::invalid_argument, "a message of {} bytes: expected 1 to {}", text.size(),
                kMaxTextBytes);
  }
  std::string message;
  message.reserve(kLengthBytes + text.size());
  for (size_t i = kLengthBytes; i-- > 0;) {
    message.push_back(static_cast<char>(text.size() >> (8 * i) & 0xff));
  }
  return message.append(text);
}

Result<std::optional<std::string_view>> text_of(std::string_view received) {
  if (received.size() < kLengthBytes) return std::nullopt;
  uint32_t length = 0;
  for (const char byte : received.substr(0, kLengthBytes)) {
    length = length << 8 | static_cast<unsigned char>(byte);
  }
  if (length == 0 || length > kMaxTextBytes) {
    return fail(ErrorCode::decode, "a message of {} bytes: expected 1 to {}", length,
                kMaxTextBytes);
  }
  const auto text = received.substr(kLengthBytes);
  if (text.size() < length) return std::nullopt;
  if (text.size() > length) {
    return fail(ErrorCode::decode, "{} bytes after a message of {}: expected none",
                text.size() - length, length);
  }
  return text;
}

}  // namespace railhead::ipc
