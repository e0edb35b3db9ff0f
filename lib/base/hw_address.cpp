#include "base/hw_address.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace railhead {

std::optional<HwAddress> HwAddress::from_bytes(std::span<const uint8_t> bytes) {
  if (bytes.size() > kMaxSize) return std::nullopt;
  HwAddress address;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  address.size_ = bytes.size();
  return address;
}

std::optional<HwAddress> HwAddress::parse(std::string_view text) {
  const auto first = text.find_first_of(":-.");
  if (first == std::string_view::npos) return std::nullopt;
  const size_t group = text[first] == '.' ? 2 : 1;  // bytes
  const auto parts = split(text, text[first]);
  const size_t size = parts.size() * group;
  if (size != 6 && size != 8 && size != 20) return std::nullopt;
  HwAddress address;
  for (auto part : parts) {
    const auto value = parse_int<uint16_t>(part, 16);
    if (!value || part.size() != 2 * group) return std::nullopt;
    if (group == 2) address.bytes_[address.size_++] = static_cast<uint8_t>(*value >> 8);
    address.bytes_[address.size_++] = static_cast<uint8_t>(*value);
  }
  return address;
}

std::optional<HwAddress> HwAddress::from_string(std::string_view text) {
  HwAddress address;
  if (text.empty()) return address;
  for (const auto part : split(text, ':')) {
    const auto value = parse_int<uint8_t>(part, 16);
    if (!value || part.size() != 2 || address.size_ == kMaxSize) return std::nullopt;
    address.bytes_[address.size_++] = *value;
  }
  return address;
}

bool HwAddress::is_zero() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](uint8_t b) { return b == 0; });
}

std::string HwAddress::to_string() const {
  std::string text;
  for (auto byte : bytes()) text += fmt::format("{}{:02x}", text.empty() ? "" : ":", byte);
  return text;
}

}  // namespace railhead
