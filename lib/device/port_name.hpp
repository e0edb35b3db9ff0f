#pragma once
// The name that a driver gives a port of its switch: IFLA_PHYS_PORT_NAME, phys_port_name in sysfs
// (net/devlink/port.c, __devlink_port_phys_port_name_get(); drivers without devlink ports write
// the same forms).
#include <cstdint>
#include <optional>
#include <string_view>

namespace railhead::device {

// What stands in the name:
//   p0, p0s1, l2p3     a port to the wire, a part of a split one, one of a line card
//   pf0, pf0vf3, pf0sf88            the representor of a PF, of its VF, of its sub-function
//   c1pf0, c1pf0vf3, c1pf0sf88      the same of another controller: on a DPU, of its host
//   p0pf0vf3           a representor that names the port to the wire, too (sfc)
//   vf3, 3             a VF's representor, of older drivers (mlx5 before Linux 4.18)
struct PortName {
  std::optional<uint32_t> controller;
  std::optional<uint32_t> line_card;
  std::optional<uint32_t> port;
  std::optional<uint32_t> split;
  std::optional<uint32_t> pf;
  std::optional<uint32_t> vf;
  std::optional<uint32_t> sf;

  // Nothing for another form.
  [[nodiscard]] static std::optional<PortName> parse(std::string_view text);
  // The port to the wire itself, not the representor of something.
  [[nodiscard]] bool is_uplink() const { return port && !pf && !vf && !sf; }
  // What it represents is a VF or sub-function of this machine's own PF.
  [[nodiscard]] bool represents_own() const { return (vf || sf) && !controller; }
  friend bool operator==(const PortName&, const PortName&) = default;
};

// Whether this is the name of what stands on a switch for a PF, VF or sub-function.
[[nodiscard]] bool is_representor_port(std::string_view phys_port_name);
// Whether this is the name of a port to the wire; the PF's netdev has such a one, or none.
[[nodiscard]] bool is_uplink_port(std::string_view phys_port_name);

}  // namespace railhead::device
