#include "device/uevent.hpp"

#include "base/text.hpp"

namespace railhead::device {

PciUevent decode_uevent(std::string_view text) {
  PciUevent uevent;
  for (auto line : split(text, '\n')) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const auto key = line.substr(0, equals);
    const auto value = line.substr(equals + 1);
    if (key == "DRIVER") uevent.driver = value;
    if (key == "PCI_CLASS") uevent.pci_class = parse_int<uint32_t>(value, 16).value_or(0);
    if (key == "PCI_ID" && value.size() == 9) {
      uevent.vendor = to_lower(value.substr(0, 4));
      uevent.device_id = to_lower(value.substr(5));
    }
  }
  return uevent;
}

}  // namespace railhead::device
