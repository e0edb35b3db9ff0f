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

}  // namespace railhead::device
