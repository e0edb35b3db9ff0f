#pragma once
// The node as values. Identity is the PCI address: a netdev name, an RDMA device name and an
// ifindex are valid within one network namespace only, and change when a device moves.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/guid.hpp"
#include "base/hw_address.hpp"
#include "base/pci_address.hpp"
#include "host/rdma.hpp"

namespace railhead::device {

enum class CharKind { uverbs, umad, issm };  // drivers/infiniband/core
std::string_view to_string(CharKind kind);
// What to_string() wrote; nothing for another text.
[[nodiscard]] std::optional<CharKind> parse_char_kind(std::string_view text);

// A character device of an RDMA device. A namespace move makes it anew, maybe with another minor.
struct CharDevice {
  CharKind kind = CharKind::uverbs;
  std::string name;  // "uverbs4"; its node is /dev/infiniband/uverbs4
  std::string dev;   // "231:196", major:minor as sysfs tells it; "" when it does not
  [[nodiscard]] std::string path() const { return "/dev/infiniband/" + name; }
  friend bool operator==(const CharDevice&, const CharDevice&) = default;
};

enum class LinkLayer { unknown, ethernet, infiniband };
std::string_view to_string(LinkLayer layer);  // as sysfs writes it: "Ethernet", "InfiniBand"

struct RdmaDevice {
  std::string name;               // "mlx5_4"
  std::optional<uint32_t> index;  // RDMA netlink's; absent while it is in another namespace
  Guid node_guid;
  LinkLayer link_layer = LinkLayer::unknown;
  std::vector<host::RdmaPort> ports;  // empty while it is in another namespace
  std::vector<CharDevice> char_devices;
  bool in_host_namespace = true;
  friend bool operator==(const RdmaDevice&, const RdmaDevice&) = default;
};

// The bond or team that a netdev is a port of.
struct Bond {
  std::string name;
  bool has_carrier = false;
  friend bool operator==(const Bond&, const Bond&) = default;
};

struct Netdev {
  std::string name;
  uint32_t index = 0;
  uint16_t type = 0;  // ARPHRD_*
  uint32_t mtu = 0;
  HwAddress address;
  std::optional<bool> carrier;
  bool up = false;
  std::optional<std::string> phys_port_name;  // port_name.hpp
  std::optional<std::string> phys_switch_id;  // hex digits
  // It, or what its frames come from (a bond, bridge, VLAN on it), has one of the node's default
  // routes, or an address of global scope (host_use.hpp).
  bool default_route = false;
  bool global_address = false;
  std::optional<Bond> bond;
  friend bool operator==(const Netdev&, const Netdev&) = default;
};

// A sub-function (SF): a part of a PF that its driver put on the auxiliary bus.
struct SubFunction {
  std::string name;                // "mlx5_core.sf.4", unique on the node
  std::string driver;              // of the auxiliary bus, "mlx5_core.sf"; "" when none is bound
  std::optional<uint32_t> number;  // sfnum, which its creator chose
  std::vector<Netdev> netdevs;     // those in the host's namespace
  std::vector<RdmaDevice> rdma;
  friend bool operator==(const SubFunction&, const SubFunction&) = default;
};

// What a function offers on the vDPA bus (linux/vdpa.h).
struct VdpaDevice {
  std::string name;    // "vdpa0", as its creator chose; a folder below the function
  std::string driver;  // "vhost_vdpa", "virtio_vdpa"; "" when none is bound
  std::optional<std::string> vhost = {};  // "vhost-vdpa-0", its node, while vhost_vdpa is bound
  friend bool operator==(const VdpaDevice&, const VdpaDevice&) = default;
};

// A PCI function of class 02xx (network), one the GPU predicate takes, or, where a scan was asked
// for them, one of class 12xx (processing accelerator).
struct PciFunction {
  PciAddress address;
  std::string vendor;  // four lower case hex digits, as in modalias: "15b3"
  std::string device_id;
  uint32_t pci_class = 0;         // 24 bits: 0x020000 Ethernet, 0x020700 InfiniBand, 0x0302xx GPU
  std::string driver;             // "" when none is bound
  std::optional<int> numa_node;   // absent where the kernel says -1
  std::vector<std::string> path;  // PCIe ancestors, root first: "pci0000:20", "0000:20:00.0", …
  std::optional<uint32_t> iommu_group;
  std::optional<PciAddress> pf;                // of a VF
  std::optional<uint32_t> vf_index;            // N of the PF's virtfnN
  std::optional<uint32_t> total_vfs;           // of a PF: sriov_totalvfs
  std::vector<std::optional<PciAddress>> vfs;  // of a PF, by index; absent where there is a hole
  std::optional<std::string> eswitch_mode;     // of a PF, where its netdevs tell
  std::vector<Netdev> netdevs;                 // those in the host's namespace
  std::vector<RdmaDevice> rdma;
  std::optional<VdpaDevice> vdpa;            // the first by name
  std::vector<PciAddress> iommu_blocked_by;  // of a function that VFIO has: why it is not
                                             // viable (IommuGroup::blocking)
  bool without_iommu = false;                // the same function's IommuGroup::without_iommu
  std::optional<std::string> uio;            // "uio7", its node, while a UIO driver is bound
  // "vfio3", its own node below /dev/vfio/devices (VFIO_DEVICE_CDEV, Linux 6.6): for iommufd
  std::optional<std::string> vfio_cdev;
  bool responds = true;  // false: its PCI configuration reads as all ones
  bool is_gpu = false;
  std::optional<std::string> gpu_uuid;  // "GPU-8f9d…", of a GPU whose driver tells it (NVIDIA's)

  // Read only where a scan was asked for them.
  std::vector<SubFunction> sub_functions;  // of a PF, by number
  std::optional<std::string> acpi_index;   // as the firmware numbers ports
  std::optional<std::string> p_key;        // "0x8001", of index 0 of the first RDMA device's port 1
  std::optional<std::string> firmware_app;  // the DDP profile that is loaded

  [[nodiscard]] bool is_network() const { return pci_class >> 16 == 0x02; }
  [[nodiscard]] bool is_accelerator() const { return pci_class >> 16 == 0x12; }
  [[nodiscard]] bool is_vf() const { return pf.has_value(); }
  friend bool operator==(const PciFunction&, const PciFunction&) = default;
};

// A driver that hands the whole function to a program (VFIO, UIO): it has no netdev and no RDMA
// device then.
[[nodiscard]] bool is_userspace_driver(std::string_view driver);
// Of these VFIO's: vfio-pci, and the variant drivers of devices that can be migrated, by their
// names ("mlx5_vfio_pci", "nvgrace-gpu-vfio-pci"; drivers/vfio/pci).
[[nodiscard]] bool is_vfio_driver(std::string_view driver);

}  // namespace railhead::device
