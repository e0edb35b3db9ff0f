#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace railhead::grant {

// Whether a node of this path is one device's alone, and becomes another's when devices come and
// go: of an RDMA device uverbs, umad and issm; a VFIO group's, uio's, vhost-vdpa's. Not rdma_cm,
// /dev/vfio/vfio, vhost-net and tun, which stand for no device.
[[nodiscard]] bool is_own_node(std::string_view host_path);

// Those of the given nodes that are one device's alone, and of none of the devices that have `now`:
// who opens them gets another device, or none.
[[nodiscard]] std::vector<std::string> stale_nodes(const std::vector<std::string>& given,
                                                   const std::vector<std::string>& now);

}  // namespace railhead::grant
