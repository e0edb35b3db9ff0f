#include "device/device_id.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace railhead::device {
namespace {

constexpr size_t kMaxName = 64;  // AUXILIARY_NAME_SIZE is 40, IFNAMSIZ 16

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName && text != "." && text != ".." &&
         std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return c == '/' || c <= ' ' || c == 0x7f; });
}

// "mlx5_core.sf.4": module, kind and number (drivers/base/auxiliary.c).
bool is_auxiliary(std::string_view text) {
  const auto parts = split(text, '.');
  return is_name(text) && parts.size() == 3 && !parts[0].empty() && !parts[1].empty() &&
         parse_int<uint32_t>(parts[2]).has_value();
}

}  // namespace

std::string_view to_string(DeviceId::Kind kind) {
  switch (kind) {
    case DeviceId::Kind::pci:
      return "pci";
    case DeviceId::Kind::auxiliary:
      return "auxiliary";
    case DeviceId::Kind::net:
      return "net";
  }
  return "";
}

std::optional<DeviceId> DeviceId::parse(std::string_view text) {
  if (const auto address = PciAddress::parse(text)) return DeviceId(*address);
  return from_parts("auxiliary", text);
}

std::optional<DeviceId> DeviceId::from_parts(std::string_view kind, std::string_view name) {
  if (kind == "pci") {
    const auto address = PciAddress::parse(name);
    return address ? std::optional<DeviceId>(*address) : std::nullopt;
  }
  if (kind == "auxiliary" && is_auxiliary(name)) {
    return DeviceId(Kind::auxiliary, std::string(name));
  }
  if (kind == "net" && is_name(name)) return DeviceId(Kind::net, std::string(name));
  return std::nullopt;
}

std::optional<PciAddress> DeviceId::pci() const {
  return kind == Kind::pci ? PciAddress::parse(name) : std::nullopt;
}

std::optional<DeviceId> DeviceId::from_file_name(std::string_view text) {
  if (const auto address = PciAddress::parse(text)) return DeviceId(*address);
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  return from_parts(text.substr(0, dot), text.substr(dot + 1));
}

std::string DeviceId::file_name() const {
  return kind == Kind::pci ? name : fmt::format("{}.{}", device::to_string(kind), name);
}

}  // namespace railhead::device
