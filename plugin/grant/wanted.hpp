#pragma once
#include <optional>
#include <string>

#include "base/pci_address.hpp"
#include "device/rail_map.hpp"

namespace railhead::grant {

struct Vdpa {
  enum class Type { virtio, vhost };
  Type type = Type::vhost;
  std::string name;  // "vdpa0"
  friend bool operator==(const Vdpa&, const Vdpa&) = default;
};

// A device, and what is wanted of it.
struct Wanted {
  std::string id;      // PCI address, or a sub-function's name ("mlx5_core.sf.4")
  PciAddress address;  // of the PCI function; of a sub-function, its PF
  std::string driver;
  bool rdma = false;       // its RDMA devices
  bool issm = true;        // with rdma, their issmN: for who runs a subnet manager
  bool vhost_net = false;  // /dev/vhost-net and /dev/net/tun
  std::optional<Vdpa> vdpa;
  // For device-info files.
  std::optional<PciAddress> pf;            // of a VF or sub-function
  std::optional<std::string> representor;  // its netdev on the host's switch, in switchdev mode
  std::optional<device::RailPlace> rail;   // where its port has one
  friend bool operator==(const Wanted&, const Wanted&) = default;
};

}  // namespace railhead::grant
