#include "device/values.hpp"

namespace railhead::device {

std::string_view to_string(CharKind kind) {
  switch (kind) {
    case CharKind::uverbs:
      return "uverbs";
    case CharKind::umad:
      return "umad";
    case CharKind::issm:
      return "issm";
  }
  return "unknown";
}

std::optional<CharKind> parse_char_kind(std::string_view text) {
  for (auto kind : {CharKind::uverbs, CharKind::umad, CharKind::issm}) {
    if (text == to_string(kind)) return kind;
  }
  return std::nullopt;
}

std::string_view to_string(LinkLayer layer) {
  switch (layer) {
    case LinkLayer::ethernet:
      return "Ethernet";
    case LinkLayer::infiniband:
      return "InfiniBand";
    case LinkLayer::unknown:
      break;
  }
  return "unknown";
}

bool is_userspace_driver(std::string_view driver) {
  return is_vfio_driver(driver) || driver == "uio_pci_generic" || driver == "igb_uio";
}

bool is_vfio_driver(std::string_view driver) {
  return driver == "vfio-pci" || driver.ends_with("-vfio-pci") || driver.ends_with("_vfio_pci");
}

}  // namespace railhead::device
