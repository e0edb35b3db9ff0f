#include "plugin/print/details.hpp"

#include "base/text.hpp"

namespace railhead::print {
namespace {

// ::ffff:a.b.c.d as sysfs writes it.
constexpr std::string_view kMapped = "0000:0000:0000:0000:0000:ffff:";

void read_gids(const device::PciFunction& function, const std::string& sysfs_root,
               Details& details) {
  const auto folder =
      host::Directory::open(sysfs_root + "/bus/pci/devices/" + function.address.to_string());
  for (const auto& device : function.rdma) {
    for (const auto& port : device.ports) {
      auto gids = folder ? device::read_gids(*folder, device.name, port.number)
                         : Result<std::vector<device::Gid>>(pass(folder));
      if (gids) {
        details.gids[{device.name, port.number}] = std::move(*gids);
      } else if (gids.error().code != ErrorCode::not_found) {  // else it went meanwhile
        details.warnings.push_back(
            fmt::format("GIDs of {}: {}", device.name, gids.error().message));
      }
    }
  }
}

}  // namespace

std::optional<std::string> ipv4_of(std::string_view gid) {
  if (!gid.starts_with(kMapped) || gid.size() != kMapped.size() + 9) return std::nullopt;
  const auto high = parse_int<uint16_t>(gid.substr(kMapped.size(), 4), 16);
  const auto low = parse_int<uint16_t>(gid.substr(kMapped.size() + 5), 16);
  if (!high || !low) return std::nullopt;
  return fmt::format("{}.{}.{}.{}", *high >> 8, *high & 255, *low >> 8, *low & 255);
}

Details read_details(const device::Inventory& inventory, const std::string& sysfs_root) {
  Details details;
  for (const auto& function : inventory.functions()) {
    if (!function.rdma.empty()) read_gids(function, sysfs_root, details);
    if (!function.iommu_group || details.iommu_groups.contains(*function.iommu_group)) continue;
    auto group = device::read_iommu_group(sysfs_root, *function.iommu_group);
    if (group) {
      details.iommu_groups.emplace(*function.iommu_group, std::move(*group));
    } else if (group.error().code != ErrorCode::not_found) {
      details.warnings.push_back(
          fmt::format("IOMMU group {}: {}", *function.iommu_group, group.error().message));
    }
  }
  return details;
}

}  // namespace railhead::print
