#include "plugin/pool/devinfo.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "device/allocation.hpp"
#include "host/files.hpp"

namespace railhead::pool {
namespace {

using Json = nlohmann::ordered_json;

// As sriov-network-device-plugin calls it: "rdma-vf-0000:3b:00.2-device.json" of rdma/vf.
std::string file_of(const std::string& resource, const std::string& id, const Places& places) {
  std::string name = fmt::format("{}-{}-device.json", resource, id);
  std::replace(name.begin(), name.end(), '/', '-');
  return places.devinfo + '/' + name;
}

Json describe(const Member& member, const DeviceNodes& nodes) {
  Json details;
  if (member.vdpa) {
    details["parent-device"] = member.vdpa->name;
    details["driver"] = member.vdpa->type == config::VdpaType::vhost ? "vhost" : "virtio";
    const auto mount = nodes.info.find("vdpa");
    if (mount != nodes.info.end()) details["path"] = mount->second.at("mount");
  }
  details["pci-address"] = member.id;
  if (!member.vdpa) {
    if (member.vhost_net) details["vhost-net"] = kVhostNet;
    std::vector<std::string> names;
    for (const auto& [name, of_device] : nodes.rdma) names.push_back(name);
    if (!names.empty()) details["rdma-device"] = join(names, ",");
  }
  if (member.pf) details["pf-pci-address"] = member.pf->to_string();
  if (member.representor) details["representor-device"] = *member.representor;
  const std::string type = member.vdpa ? "vdpa" : "pci";
  return {{"type", type}, {"version", "1.1.0"}, {type, std::move(details)}};
}

}  // namespace

bool stands_in_sysfs(const PciAddress& address, const Places& places) {
  const auto folder =
      host::Directory::open(places.sysfs + "/bus/pci/devices/" + address.to_string());
  return !is(folder, ErrorCode::not_found);
}

// The devinfo file and the record that names it.
Result<void> remove_devinfo(const PciAddress& address, const Places& places) {
  const auto allocation = device::read_allocation(places.run, address);
  if (!allocation) return pass(allocation);
  if (!*allocation) return {};
  auto done = host::remove_file(file_of((*allocation)->resource, address.to_string(), places));
  return done ? device::remove_allocation(places.run, address) : done;
}

Result<void> write_devinfo(const Pool& pool, const Member& member, const DeviceNodes& nodes,
                           const std::string& before, const Places& places) {
  const std::string resource = pool.resource.full_name();
  if (!before.empty() && before != resource) {
    auto removed = host::remove_file(file_of(before, member.id, places));
    if (!removed) return removed;
  }
  const auto text = describe(member, nodes).dump(-1, ' ', false, Json::error_handler_t::replace);
  return host::write_file_atomically(file_of(resource, member.id, places), text, 0644);
}

Result<std::vector<PciAddress>> remove_stale_devinfo(const device::Inventory& inventory,
                                                     const Places& places) {
  std::vector<PciAddress> removed;
  std::optional<Error> first_error;
  const auto allocated = device::list_allocations(places.run);
  if (!allocated) return pass(allocated);
  for (const auto& address : *allocated) {
    // What the scan could not read is not in the inventory, but is not gone.
    if (inventory.find(address) || stands_in_sysfs(address, places)) continue;
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

}  // namespace railhead::pool
