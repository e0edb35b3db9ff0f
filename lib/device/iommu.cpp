#include "device/iommu.hpp"

#include <algorithm>
#include <array>

#include "device/sysfs.hpp"
#include "device/uevent.hpp"
#include "device/values.hpp"
#include "host/files.hpp"

namespace railhead::device {
namespace {

// What the kernel lets stay in a group that vfio takes (drivers/vfio): nothing bound, a vfio
// driver, pci-stub, and PCI bridges under their port driver.
bool blocks(const PciUevent& function) {
  if (function.driver.empty() || function.driver == "pci-stub") return false;
  if (is_vfio_driver(function.driver)) return false;
  return !(function.pci_class >> 8 == 0x0604 && function.driver == "pcieport");
}

}  // namespace

std::string vfio_node(std::string_view group, bool without_iommu) {
  return fmt::format("/dev/vfio/{}{}", without_iommu ? "noiommu-" : "", group);
}

std::string vfio_cdev_node(std::string_view name) {
  return fmt::format("/dev/vfio/devices/{}", name);
}

// Without VFIO_DEVICE_CDEV the folder is there, too (Linux 6.1), and has no device number.
Result<std::optional<std::string>> read_vfio_cdev(const host::Directory& function) {
  auto name = first_numbered(function, "vfio-dev", "vfio");
  if (!name || !*name) return name;
  const auto number = optional(function.read(fmt::format("vfio-dev/{}/dev", **name)));
  if (!number) return pass(number);
  return *number ? name : std::optional<std::string>();
}

Result<IommuGroup> read_iommu_group(const std::string& sysfs_root, uint32_t number) {
  const auto path = fmt::format("{}/kernel/iommu_groups/{}", sysfs_root, number);
  const auto folder = host::Directory::open(path + "/devices");
  if (!folder) return pass(folder);
  const auto names = folder->list(".");
  if (!names) return pass(names);
  IommuGroup group{number, {}, {}};
  // Groups of an IOMMU have no name unless their driver gives one.
  group.without_iommu = host::read_file(path + "/name").value_or("").starts_with("vfio-noiommu");
  for (const auto& name : *names) {
    const auto address = PciAddress::parse(name);
    if (!address) continue;
    group.members.push_back(*address);
    const auto uevent = folder->read(name + "/uevent");
    if (is(uevent, ErrorCode::not_found)) continue;
    if (!uevent) return pass(uevent);
    if (blocks(decode_uevent(*uevent))) group.blocking.push_back(*address);
  }
  std::sort(group.members.begin(), group.members.end());
  std::sort(group.blocking.begin(), group.blocking.end());
  return group;
}

}  // namespace railhead::device
