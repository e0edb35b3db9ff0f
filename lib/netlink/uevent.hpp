#pragma once
// What the kernel multicasts about devices (NETLINK_KOBJECT_UEVENT; lib/kobject_uevent.c).
#include <string>

#include "netlink/wire.hpp"

namespace railhead::netlink {

struct Uevent {
  std::string action;  // "add", "remove", "change", "move", "bind", "unbind"
  std::string path;    // below /sys: "/devices/pci0000:20/0000:20:00.0/…"
  std::string subsystem;
  std::string pci_slot;     // PCI_SLOT_NAME of a PCI function: "0000:3b:00.0"; else ""
  std::string error_event;  // ERROR_EVENT, a step of the recovery from a PCI error; else ""
  friend bool operator==(const Uevent&, const Uevent&) = default;
};

// "add@/devices/…" and "KEY=value" strings, each with a NUL behind it. Errors: decode (no such
// first string, or no ACTION, DEVPATH or SUBSYSTEM; udevd's own datagrams begin otherwise).
Result<Uevent> decode_uevent(Bytes datagram);

}  // namespace railhead::netlink
