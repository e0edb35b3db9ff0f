#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/pci_address.hpp"

namespace railhead::device {

// An IOMMU group: what can be given to a user-space driver (vfio) only as a whole.
struct IommuGroup {
  uint32_t number = 0;
  std::vector<PciAddress> members;   // in PCI order
  std::vector<PciAddress> blocking;  // those a host driver uses, so that vfio refuses the group
  [[nodiscard]] bool viable() const { return blocking.empty(); }
  friend bool operator==(const IommuGroup&, const IommuGroup&) = default;
};

// not_found when there is no such group.
[[nodiscard]] Result<IommuGroup> read_iommu_group(const std::string& sysfs_root, uint32_t number);

}  // namespace railhead::device
