#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/pci_address.hpp"
#include "host/files.hpp"

namespace railhead::device {

// An IOMMU group: what can be given to a user-space driver (vfio) only as a whole.
struct IommuGroup {
  uint32_t number = 0;
  std::vector<PciAddress> members;   // in PCI order
  std::vector<PciAddress> blocking;  // those a host driver uses, so that vfio refuses the group
  // Made by vfio (enable_unsafe_noiommu_mode), which calls its node noiommu-N.
  bool without_iommu = false;
  [[nodiscard]] bool viable() const { return blocking.empty(); }
  friend bool operator==(const IommuGroup&, const IommuGroup&) = default;
};

// The node of a group that vfio has: "/dev/vfio/42", "/dev/vfio/noiommu-42".
[[nodiscard]] std::string vfio_node(std::string_view group, bool without_iommu);

// iommufd's node, and that of a device, "/dev/vfio/devices/vfio3", which is used with it.
inline constexpr std::string_view kIommufd = "/dev/iommu";
[[nodiscard]] std::string vfio_cdev_node(std::string_view name);
// "vfio3" of a PCI function's folder whose VFIO driver made such a node. Errors: io.
[[nodiscard]] Result<std::optional<std::string>> read_vfio_cdev(const host::Directory& function);

// not_found when there is no such group.
[[nodiscard]] Result<IommuGroup> read_iommu_group(const std::string& sysfs_root, uint32_t number);

}  // namespace railhead::device
