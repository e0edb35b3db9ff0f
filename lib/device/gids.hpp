#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/files.hpp"

namespace railhead::device {

struct Gid {
  uint32_t index = 0;                 // what verbs and NCCL_IB_GID_INDEX call it by
  std::string gid;                    // "fe80:0000:0000:0000:0a42:a1ff:fe03:0001"
  std::string type;                   // "IB/RoCE v1", "RoCE v2"; "" when the kernel does not tell
  std::optional<std::string> netdev;  // whose address it is; RoCE only
  friend bool operator==(const Gid&, const Gid&) = default;
};

// The GIDs in use of a port (from 1) of an RDMA device in the host's namespace, by index.
// `function` is the folder /sys/bus/pci/devices/<BDF>. not_found when it does not show the device
// or the port.
[[nodiscard]] Result<std::vector<Gid>> read_gids(const host::Directory& function,
                                                 std::string_view rdma_device, uint32_t port);

}  // namespace railhead::device
