#include "base/guid.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace railhead {

std::optional<Guid> Guid::parse(std::string_view text) {
  auto parts = split(text, ':');
  if (parts.size() != 8 && parts.size() != 4) return std::nullopt;
  const size_t digits = 16 / parts.size();
  Guid guid;
  for (auto part : parts) {
    auto group = parse_int<uint16_t>(part, 16);
    if (!group || part.size() != digits) return std::nullopt;
    guid.value = guid.value << (4 * digits) | *group;
  }
  return guid;
}

std::string Guid::to_string() const {
  std::string text;
  for (int shift = 56; shift >= 0; shift -= 8) {
    text += fmt::format("{}{:02x}", text.empty() ? "" : ":", value >> shift & 0xff);
  }
  return text;
}

}  // namespace railhead
