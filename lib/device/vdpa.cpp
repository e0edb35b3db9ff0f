#include "device/vdpa.hpp"

#include <algorithm>

#include "device/sysfs.hpp"

namespace railhead::device {

Result<std::map<PciAddress, VdpaDevice>> read_vdpa_devices(const std::string& sysfs_root) {
  std::map<PciAddress, VdpaDevice> devices;
  const auto bus = host::Directory::open(sysfs_root + "/bus/vdpa/devices");
  if (absent(bus)) return devices;
  if (!bus) return pass(bus);
  auto names = bus->list(".");
  if (!names) return pass(names);
  std::sort(names->begin(), names->end());
  for (auto& name : *names) {
    const auto link = optional(bus->link(name));
    if (!link) return pass(link);
    if (!*link) continue;
    const auto parent = parent_function(**link);
    if (!parent) continue;
    auto driver = optional(bus->link_name(name + "/driver"));
    if (!driver) return pass(driver);
    auto vhost = optional(first_numbered(*bus, name, "vhost-vdpa-"));
    if (!vhost) return pass(vhost);
    devices.try_emplace(
        *parent, VdpaDevice{std::move(name), driver->value_or(""), vhost->value_or(std::nullopt)});
  }
  return devices;
}

}  // namespace railhead::device
