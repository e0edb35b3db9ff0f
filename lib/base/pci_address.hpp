#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace railhead {

// A PCI function's address (BDF), "0000:3b:00.2". Ordered as the bus is: domain, bus, device,
// function. Domains may have more than four hex digits (VMD, Azure: "10000:e1:00.0").
struct PciAddress {
  uint32_t domain = 0;
  uint8_t bus = 0;
  uint8_t device = 0;    // 0-31
  uint8_t function = 0;  // 0-7

  // Takes the full form only, hex digits in either case; to_string() gives lower case.
  static std::optional<PciAddress> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(const PciAddress&, const PciAddress&) = default;
};

}  // namespace railhead
