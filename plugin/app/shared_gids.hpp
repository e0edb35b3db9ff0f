#pragma once
// The GIDs of a pod's interfaces that stand on a NIC of the node's (macvlan, ipoib): an application
// there uses the RDMA device of that NIC, and its GID by index.
#include <string>

#include "ipc/pod_news.hpp"

namespace railhead::app {

// The pod's network-status with `rdma` in the entries of such interfaces: {"device":"mlx5_0",
// "port":1,"gid-index":5,"gid":"0000:…:ffff:0a09:0805"}, RoCE v2 where there are two.
struct StatusWithGids {
  std::string text;
  bool is_whole = true;  // false: a RoCE address has no GID yet; the kernel adds it a little later
};

// `sysfs`: where it is mounted, "/sys". The tables are the kernel's own copies: no device is asked.
[[nodiscard]] StatusWithGids with_gids(const ipc::PodNews& pod, const std::string& sysfs);

}  // namespace railhead::app
