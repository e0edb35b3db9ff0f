#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace railhead {

// A link-layer address: 6 bytes on Ethernet (a MAC), 20 on IPoIB. Empty means "none".
class HwAddress {
 public:
  static constexpr size_t kMaxSize = 32;  // MAX_ADDR_LEN, linux/netdevice.h

  HwAddress() = default;
  // Nothing when there are more than kMaxSize bytes.
  static std::optional<HwAddress> from_bytes(std::span<const uint8_t> bytes);
  // 6, 8 or 20 bytes as Go's net.ParseMAC takes them: hex pairs with ':' or '-' between them, or
  // groups of four digits with '.' ("0200.5e00.5301").
  static std::optional<HwAddress> parse(std::string_view text);

  // What to_string() gave, of an address of any size; "" is the empty one.
  static std::optional<HwAddress> from_string(std::string_view text);

  [[nodiscard]] std::span<const uint8_t> bytes() const { return {bytes_.data(), size_}; }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] bool is_zero() const;           // all bytes zero (an empty one too)
  [[nodiscard]] std::string to_string() const;  // lower case, ':' between

  friend bool operator==(const HwAddress&, const HwAddress&) = default;

 private:
  std::array<uint8_t, kMaxSize> bytes_{};
  size_t size_ = 0;
};

}  // namespace railhead
