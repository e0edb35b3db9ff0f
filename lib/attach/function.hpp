#pragma once
// One device as sysfs and rtnetlink show it, looked up by its name without a scan of the node.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "attach/record.hpp"
#include "host/host.hpp"

namespace railhead::attach {

// A folder of /sys/bus/{pci,auxiliary}/devices.
struct Function {
  std::optional<PciAddress> pf;      // of a VF
  uint32_t vf_index = 0;             // N of the PF's virtfnN
  std::string driver;                // "" when none is bound
  std::vector<std::string> netdevs;  // in the host's namespace, sorted; virtio's too
  uint64_t inode = 0;                // DriverPart::inode
};

// not_found: the device's own folder is missing, which is the proof that it is gone.
[[nodiscard]] Result<Function> read_function(const host::Host& host,
                                             const device::DeviceId& device);
// A device that has no folder there: a netdev that stands for itself.
[[nodiscard]] bool is_bare_netdev(const device::DeviceId& device);
// What stands for a netdev wherever it goes: the bus device that is its parent. A virtio NIC's is
// named by its PCI function, the folder above. One without a parent stands for itself.
[[nodiscard]] device::DeviceId device_of(const host::Host& host, const host::Link& link);

// The VFs and sub-functions of a function that is their PF; none where it is none.
[[nodiscard]] Result<std::vector<device::DeviceId>> parts_of(const host::Host& host,
                                                             const device::DeviceId& device);

// Whether a link of the pod is the record's netdev.
[[nodiscard]] bool stands_for(const host::Link& link, const Record& record);

// The PF's netdev: the one of its uplink port where switchdev representors stand beside it.
[[nodiscard]] Result<host::Link> pf_link(host::Host& host, const PciAddress& pf,
                                         host::LinkLayer layer = host::LinkLayer::ethernet);
// Whether the PF's switch is in switchdev mode (device/eswitch.hpp); false where nothing tells.
[[nodiscard]] Result<bool> is_in_switchdev_mode(host::Host& host, const PciAddress& pf);
// "": it has none.
[[nodiscard]] Result<std::string> driver_of(const host::Host& host, const device::DeviceId& device);

// By its RDMA devices and netdevs in sysfs, or by its PF's where this namespace does not show them;
// ethernet where nothing tells.
[[nodiscard]] Result<host::LinkLayer> read_layer(const host::Host& host,
                                                 const device::DeviceId& device);

// Whether IPoIB makes a netdev of it, or of its PF, where its own has left this namespace.
[[nodiscard]] Result<bool> has_ipoib(const host::Host& host, const device::DeviceId& device);

// Whether its RDMA devices go for good where its netdev moves: bnxt_re's before it came to the
// auxiliary bus (Linux 6.3), which takes the move for the netdev's end (bnxt_re_netdev_event()).
[[nodiscard]] Result<bool> loses_rdma_with_netdev(const host::Host& host,
                                                  const device::DeviceId& device);

// RDMA devices of the function with their character devices, in whatever namespace they are; the
// node GUIDs are not filled in.
[[nodiscard]] Result<std::vector<RdmaState>> rdma_of(const host::Host& host,
                                                     const device::DeviceId& device);
// The names of the RDMA devices that are in the host's namespace.
[[nodiscard]] Result<std::vector<std::string>> rdma_in_host(const host::Host& host,
                                                            const device::DeviceId& device);

// The sysctls that a namespace move resets, as they stand for a netdev of the host; those the
// kernel does not have are left out.
[[nodiscard]] std::map<std::string, std::string> read_sysctls(const host::Host& host,
                                                              const std::string& netdev);
// Of the namespace that the caller is in: "<proc>/sys/net/ipv4/conf/net1/rp_filter".
[[nodiscard]] std::string sysctl_path(const host::Host& host, std::string_view key,
                                      const std::string& netdev);
[[nodiscard]] Result<void> write_sysctl(const host::Host& host, const std::string& key,
                                        const std::string& netdev, const std::string& value);

// "uverbs4" and so on, sorted, for comparison and messages.
[[nodiscard]] std::string node_list(const std::vector<device::CharDevice>& devices);

// "VF" or "device", for messages.
[[nodiscard]] std::string_view noun(KindName kind);

}  // namespace railhead::attach
