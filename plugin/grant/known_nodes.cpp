#include "plugin/grant/known_nodes.hpp"

#include <algorithm>

#include "device/iommu.hpp"
#include "plugin/grant/compare.hpp"

namespace railhead::grant {
namespace {

const std::vector<device::RdmaDevice>* rdma_of(const Wanted& wanted,
                                               const device::PciFunction& function) {
  if (wanted.id == function.address.to_string()) return &function.rdma;
  const auto found =
      std::ranges::find(function.sub_functions, wanted.id, &device::SubFunction::name);
  return found == function.sub_functions.end() ? nullptr : &found->rdma;
}

std::vector<DeviceNode> rdma_nodes(const Wanted& wanted, const device::PciFunction& function) {
  std::vector<DeviceNode> nodes;
  const auto* devices = rdma_of(wanted, function);
  if (!devices) return nodes;
  for (const auto& device : *devices) {
    for (const auto& node : device.char_devices) {
      if (wanted.issm || node.kind != device::CharKind::issm)
        nodes.push_back(same_path(node.path()));
    }
  }
  return nodes;
}

// Those of the driver that has the whole function for a program; none when something is missing.
std::vector<DeviceNode> userspace_nodes(const Wanted& wanted, const device::PciFunction& function) {
  if (!device::is_vfio_driver(wanted.driver)) {
    if (!function.uio) return {};
    return {same_path("/dev/" + *function.uio)};
  }
  if (!function.iommu_group) return {};
  const auto group = std::to_string(*function.iommu_group);
  // Programs look for the plain number.
  std::vector<DeviceNode> nodes = {
      same_path("/dev/vfio/vfio"),
      {device::vfio_node(group, function.without_iommu), device::vfio_node(group, false)}};
  if (function.vfio_cdev) {
    nodes.push_back(same_path(device::vfio_cdev_node(*function.vfio_cdev)));
    nodes.push_back(same_path(device::kIommufd));
  }
  return nodes;
}

}  // namespace

std::vector<DeviceNode> known_nodes(const Wanted& wanted, const device::Inventory& inventory,
                                    bool has_connection_manager) {
  const auto* function = inventory.find(wanted.address);
  if (!function) return {};
  std::vector<DeviceNode> nodes;
  if (wanted.rdma) {
    nodes = rdma_nodes(wanted, *function);
    if (nodes.empty()) return {};
  }
  if (device::is_userspace_driver(wanted.driver)) {
    const auto own = userspace_nodes(wanted, *function);
    if (own.empty()) return {};
    nodes.insert(nodes.end(), own.begin(), own.end());
  }
  if (wanted.vdpa && wanted.vdpa->type == Vdpa::Type::vhost) {
    if (!function->vdpa || !function->vdpa->vhost) return {};
    nodes.push_back(same_path("/dev/" + *function->vdpa->vhost));
  }
  if (wanted.vhost_net) {
    nodes.push_back(same_path(kVhostNet));
    nodes.push_back(same_path(kTun));
  }
  if (wanted.rdma && has_connection_manager) nodes.push_back(same_path(kConnectionManager));
  return nodes;
}

std::vector<std::string> known_own_nodes(const Wanted& wanted, const device::Inventory& inventory) {
  std::vector<std::string> own;
  for (auto& node : known_nodes(wanted, inventory, false)) {
    if (is_own_node(node.host_path)) own.push_back(std::move(node.host_path));
  }
  return own;
}

}  // namespace railhead::grant
