#include "netlink/uevent.hpp"

namespace railhead::netlink {

Result<Uevent> decode_uevent(Bytes datagram) {
  std::string_view rest(reinterpret_cast<const char*>(datagram.data()), datagram.size());
  const auto next = [&rest]() -> std::optional<std::string_view> {
    const auto end = rest.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    const auto text = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return text;
  };
  const auto first = next();
  if (!first || first->find("@/") == std::string_view::npos) {
    return fail(ErrorCode::decode, "uevent without action@path");
  }
  Uevent uevent;
  while (const auto text = next()) {
    const auto equals = text->find('=');
    if (equals == std::string_view::npos) continue;
    const auto key = text->substr(0, equals);
    const auto value = text->substr(equals + 1);
    if (key == "ACTION") uevent.action = value;
    if (key == "DEVPATH") uevent.path = value;
    if (key == "SUBSYSTEM") uevent.subsystem = value;
    if (key == "PCI_SLOT_NAME") uevent.pci_slot = value;
    if (key == "ERROR_EVENT") uevent.error_event = value;
  }
  if (!rest.empty()) return fail(ErrorCode::decode, "uevent whose last string has no end");
  if (uevent.action.empty() || uevent.path.empty() || uevent.subsystem.empty()) {
    return fail(ErrorCode::decode, "uevent without ACTION, DEVPATH or SUBSYSTEM");
  }
  return uevent;
}

}  // namespace railhead::netlink
