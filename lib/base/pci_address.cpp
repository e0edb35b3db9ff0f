#include "base/pci_address.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace railhead {

std::optional<PciAddress> PciAddress::parse(std::string_view text) {
  auto parts = split(text, ':');
  if (parts.size() != 3 || parts[0].size() < 4 || parts[0].size() > 8 || parts[1].size() != 2 ||
      parts[2].size() != 4 || parts[2][2] != '.') {
    return std::nullopt;
  }
  auto domain = parse_int<uint32_t>(parts[0], 16);
  auto bus = parse_int<uint8_t>(parts[1], 16);
  auto device = parse_int<uint8_t>(parts[2].substr(0, 2), 16);
  auto function = parse_int<uint8_t>(parts[2].substr(3), 16);
  if (!domain || !bus || !device || *device > 31 || !function || *function > 7) {
    return std::nullopt;
  }
  return PciAddress{*domain, *bus, *device, *function};
}

std::string PciAddress::to_string() const {
  return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", domain, bus, device, function);
}

}  // namespace railhead
