#include "plugin/grant/devinfo.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "device/allocation.hpp"
#include "host/files.hpp"

namespace railhead::grant {
namespace {

using Json = nlohmann::ordered_json;

std::string file_of(const std::string& resource, const std::string& id, const Places& places) {
  return places.devinfo + '/' + devinfo_file(resource, id);
}

Json describe(const Wanted& device, const DeviceNodes& nodes) {
  Json details;
  if (device.vdpa) {
    details["parent-device"] = device.vdpa->name;
    details["driver"] = device.vdpa->type == Vdpa::Type::vhost ? "vhost" : "virtio";
    const auto mount = nodes.info.find("vdpa");
    if (mount != nodes.info.end()) details["path"] = mount->second.at("mount");
  }
  details["pci-address"] = device.id;
  if (!device.vdpa) {
    if (device.vhost_net) details["vhost-net"] = kVhostNet;
    std::vector<std::string> names;
    for (const auto& [name, of_device] : nodes.rdma) names.push_back(name);
    if (!names.empty()) details["rdma-device"] = join(names, ",");
  }
  if (device.pf) details["pf-pci-address"] = device.pf->to_string();
  if (device.representor) details["representor-device"] = *device.representor;
  const std::string type = device.vdpa ? "vdpa" : "pci";
  Json info{{"type", type}, {"version", "1.1.0"}, {type, std::move(details)}};
  // No key of the specification, whose readers pass it over.
  if (device.rail) {
    info["railhead"] = {{"rail", device.rail->rail}, {"plane", device.rail->plane}};
  }
  return info;
}

// The devinfo file and the record that names it.
Result<void> remove_devinfo(const PciAddress& address, const Places& places) {
  const auto allocation = device::read_allocation(places.run, address);
  if (!allocation) return pass(allocation);
  if (!*allocation) return {};
  auto done = host::remove_file(file_of((*allocation)->resource, address.to_string(), places));
  return done ? device::remove_allocation(places.run, address) : done;
}

}  // namespace

std::string devinfo_file(const std::string& resource, const std::string& id) {
  std::string name = fmt::format("{}-{}-device.json", resource, id);
  std::ranges::replace(name, '/', '-');
  return name;
}

Result<void> write_devinfo(const std::string& resource, const Wanted& device,
                           const DeviceNodes& nodes, const std::string& before,
                           const Places& places) {
  if (!before.empty() && before != resource) {
    auto removed = host::remove_file(file_of(before, device.id, places));
    if (!removed) return removed;
  }
  if (auto made = host::make_directories(places.devinfo, 0755); !made) return made;
  const auto text = describe(device, nodes).dump(-1, ' ', false, Json::error_handler_t::replace);
  return host::write_file_atomically(file_of(resource, device.id, places), text, 0644);
}

Result<std::vector<PciAddress>> remove_stale_devinfo(const device::Inventory& inventory,
                                                     const Places& places) {
  std::vector<PciAddress> removed;
  std::optional<Error> first_error;
  const auto allocated = device::list_allocations(places.run);
  if (!allocated) return pass(allocated);
  for (const auto& address : *allocated) {
    // What the scan could not read is not in the inventory, but is not gone.
    if (inventory.find(address) || !is_gone(address.to_string(), places)) continue;
    auto done = remove_devinfo(address, places);
    if (done) {
      removed.push_back(address);
    } else if (!first_error) {
      first_error = done.error();
    }
  }
  if (first_error) return Failure(*first_error);
  return removed;
}

}  // namespace railhead::grant
