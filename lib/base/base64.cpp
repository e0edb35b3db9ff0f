#include "base/base64.hpp"

#include <cstdint>

namespace railhead {
namespace {

std::optional<uint32_t> digit(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<uint32_t>(c - 'A');
  if (c >= 'a' && c <= 'z') return static_cast<uint32_t>(c - 'a') + 26;
  if (c >= '0' && c <= '9') return static_cast<uint32_t>(c - '0') + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return std::nullopt;
}

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && text.size() > padding && text[text.size() - 1 - padding] == '=') ++padding;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (size_t at = 0; at < text.size(); at += 4) {
    const size_t missing = at + 4 == text.size() ? padding : 0;
    uint32_t group = 0;
    for (size_t i = 0; i < 4; ++i) {
      const auto value = i < 4 - missing ? digit(text[at + i]) : std::optional<uint32_t>(0);
      if (!value) return std::nullopt;
      group = group << 6 | *value;
    }
    for (size_t i = 0; i < 3 - missing; ++i) {
      bytes += static_cast<char>(group >> (16 - 8 * i) & 0xff);
    }
  }
  return bytes;
}

}  // namespace railhead
