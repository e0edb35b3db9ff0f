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

std::optional<GuidRange> GuidRange::parse(std::string_view text) {
  const auto ends = split(text, '-');
  if (ends.size() != 2) return std::nullopt;
  const auto first = Guid::parse(trim(ends[0]));
  const auto last = Guid::parse(trim(ends[1]));
  const bool good = first && last && first->value != 0 && last->value != ~uint64_t{0} &&
                    first->value <= last->value;
  return good ? std::optional(GuidRange{*first, *last}) : std::nullopt;
}

std::string GuidRange::to_string() const { return first.to_string() + '-' + last.to_string(); }

}  // namespace railhead
