#pragma once
// What sriov-cni, ib-sriov-cni and rdma-cni keep on disk of what they attached: Go structs as JSON,
// below Roots::cni_cache (/var/lib/cni).
#include <optional>
#include <string>
#include <string_view>

#include "attach/attachment.hpp"
#include "host/links.hpp"

namespace railhead::attach {

// rdma/<network>-<container>-<ifname>: the name that the RDMA device had in the host.
struct RdmaCache {
  device::DeviceId device;
  std::string host_name;
  friend bool operator==(const RdmaCache&, const RdmaCache&) = default;
};
[[nodiscard]] Result<RdmaCache> read_rdma_cache(std::string_view text);

// sriov/<container>-<ifname>: the whole configuration, with the VF as it stood (OrigVfState).
struct SriovCache {
  std::string network;
  device::DeviceId device;
  host::VfAttributes before;  // versions differ in what they kept
  // "": a userspace driver had the VF.
  std::string host_name;
  std::optional<HwAddress> address;  // the netdev's own
  std::optional<uint32_t> mtu;       // bytes
  // InfiniBand's alone.
  host::LinkLayer layer = host::LinkLayer::ethernet;
  host::VfAttributes asked = {};  // the GUID that it was given
  std::optional<RdmaCache> rdma = {};
  friend bool operator==(const SriovCache&, const SriovCache&) = default;
};
// decode: no such JSON, or a value that no VF can have; the message names the key.
[[nodiscard]] Result<SriovCache> read_sriov_cache(std::string_view text);
// ib-sriov/<container>-<ifname>: the same of ib-sriov-cni, which keeps the port's GUID alone
// (HostIFGUID), where it gave another, and gives both GUIDs back by it.
[[nodiscard]] Result<SriovCache> read_ib_sriov_cache(std::string_view text);

// As the kernel takes it for a netdev, dev_valid_name().
[[nodiscard]] bool is_netdev_name(std::string_view name);

}  // namespace railhead::attach
