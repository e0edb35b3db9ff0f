#pragma once
#include <map>
#include <string>
#include <vector>

#include "device/gids.hpp"
#include "device/inventory.hpp"
#include "device/iommu.hpp"

namespace railhead::print {

// What an inventory leaves out, because only people ask for it.
struct Details {
  // By RDMA device ("mlx5_0") and port, of those in the host's namespace.
  std::map<std::pair<std::string, uint32_t>, std::vector<device::Gid>> gids;
  std::map<uint32_t, device::IommuGroup> iommu_groups;
  std::vector<std::string> warnings;  // what could not be read
};

[[nodiscard]] Details read_details(const device::Inventory& inventory,
                                   const std::string& sysfs_root);

// "10.9.0.1" of the GID that stands for an IPv4 address; nothing for any other.
[[nodiscard]] std::optional<std::string> ipv4_of(std::string_view gid);

}  // namespace railhead::print
