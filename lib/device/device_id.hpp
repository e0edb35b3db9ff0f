#pragma once
#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "base/pci_address.hpp"

namespace railhead::device {

// What a device is called wherever it goes: claims, locks and records are named after it. A netdev
// has a name of its own here only where nothing else stands for it (a veth, a NIC of a bus that
// names no device), and that is the name that it has in the host.
struct DeviceId {
  enum class Kind { pci, auxiliary, net };

  Kind kind = Kind::pci;
  std::string name;  // "0000:3b:00.2", "mlx5_core.sf.4", "eth1"

  DeviceId() = default;
  DeviceId(const PciAddress& address) : name(address.to_string()) {}  // NOLINT: it is one
  DeviceId(Kind of, std::string called) : kind(of), name(std::move(called)) {}
  // A PCI address, else the name of an auxiliary device ("mlx5_core.sf.4"). Nothing for a text that
  // is neither: the kernel's names are driver, kind and number.
  static std::optional<DeviceId> parse(std::string_view text);
  // As from_parts(to_string(kind), name) reads it again; nothing where the name is none of its
  // kind.
  static std::optional<DeviceId> from_parts(std::string_view kind, std::string_view name);

  [[nodiscard]] std::optional<PciAddress> pci() const;
  [[nodiscard]] const std::string& to_string() const { return name; }
  // Different for any two devices, and without '/': "0000:3b:00.2", "net.eth1".
  [[nodiscard]] std::string file_name() const;
  static std::optional<DeviceId> from_file_name(std::string_view text);

  friend auto operator<=>(const DeviceId&, const DeviceId&) = default;
};

std::string_view to_string(DeviceId::Kind kind);  // "pci", "auxiliary", "net"

}  // namespace railhead::device
