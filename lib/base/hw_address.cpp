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
  if (text.size() < 3 || (text[2] != ':' && text[2] != '-')) return std::nullopt;
  auto parts = split(text, text[2]);
  if (parts.size() != 6 && parts.size() != 8 && parts.size() != 20) return std::nullopt;
  HwAddress address;
  for (auto part : parts) {
    auto byte = parse_int<uint8_t>(part, 16);
    if (!byte || part.size() != 2) return std::nullopt;
    address.bytes_[address.size_++] = *byte;
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
