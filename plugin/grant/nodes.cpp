#include "plugin/grant/nodes.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "device/char_devices.hpp"
#include "device/iommu.hpp"
#include "device/sub_functions.hpp"
#include "device/sysfs.hpp"
#include "device/vdpa.hpp"

namespace railhead::grant {
namespace {

using host::Directory;

// "/dev/uio7" for each entry "uio7" of the folder.
Result<std::vector<std::string>> nodes_in(const Directory& device, const std::string& folder,
                                          std::string_view prefix) {
  std::vector<std::string> nodes;
  const auto names = device.list(folder);
  if (is(names, ErrorCode::not_found)) return nodes;
  if (!names) return pass(names);
  for (const auto& name : *names) {
    if (name.starts_with(prefix)) nodes.push_back("/dev/" + name);
  }
  return nodes;
}

void give(DeviceNodes& nodes, const std::string& path) { nodes.nodes.push_back(same_path(path)); }

}  // namespace

bool is_gone(const std::string& id, const Places& places) {
  if (!PciAddress::parse(id) && !device::is_sub_function(id)) return false;
  const auto folder = Directory::open(places.sysfs + '/' + device::sysfs_folder(id));
  return is(folder, ErrorCode::not_found);
}

Failure gone(std::string_view id) {
  return fail(ErrorCode::not_found,
              "device {} does not exist on this node any more, although kubelet still counts it as "
              "given: delete the pod, or make the device (the VF) again",
              id);
}

// There only while rdma_ucm is loaded.
bool has_connection_manager(const Places& places) {
  return Directory::open(places.sysfs + "/class/misc/rdma_cm").has_value();
}

NodeReader::NodeReader(Directory sysfs, const Places& places)
    : sysfs_(std::move(sysfs)),
      sysfs_root_(places.sysfs),
      has_connection_manager_(grant::has_connection_manager(places)) {}

Result<NodeReader> NodeReader::open(const Places& places) {
  auto sysfs = Directory::open(places.sysfs);
  if (!sysfs) return pass(sysfs);
  return NodeReader(std::move(*sysfs), places);
}

Result<Directory> NodeReader::folder_of(const Wanted& wanted) const {
  return sysfs_.sub(device::sysfs_folder(wanted.id));
}

std::vector<uint32_t> NodeReader::ports_of(const Wanted& wanted,
                                           const std::string& rdma_device) const {
  const auto device = folder_of(wanted);
  std::vector<uint32_t> ports;
  if (device) {
    const auto names = device->list(fmt::format("infiniband/{}/ports", rdma_device));
    for (const auto& name : names.value_or(std::vector<std::string>{})) {
      if (const auto number = parse_int<uint32_t>(name)) ports.push_back(*number);
    }
  }
  std::sort(ports.begin(), ports.end());
  return ports.empty() ? std::vector<uint32_t>{1} : ports;
}

Result<std::vector<std::string>> NodeReader::own_nodes(const std::vector<std::string>& ids) const {
  std::vector<std::string> all;
  const auto add = [&all](const Result<std::vector<std::string>>& nodes) {
    if (nodes) all.insert(all.end(), nodes->begin(), nodes->end());
    return nodes.has_value();
  };
  const auto vdpa = device::read_vdpa_devices(sysfs_root_);
  if (!vdpa) return pass(vdpa);
  for (const auto& id : ids) {
    const auto device = sysfs_.sub(device::sysfs_folder(id));
    if (is(device, ErrorCode::not_found)) continue;
    if (!device) return pass(device);
    const auto rdma = device::read_char_devices(*device, device::DevNumbers::leave);
    if (!rdma) return pass(rdma, id);
    for (const auto& [name, nodes] : *rdma) {
      for (const auto& node : nodes) all.push_back(node.path());
    }
    const bool has_vfio = device::is_vfio_driver(device->link_name("driver").value_or(""));
    const auto group = device->link_name("iommu_group");
    if (group && has_vfio) all.push_back(group_node(*group));
    const auto cdev = device::read_vfio_cdev(*device);
    if (!cdev) return pass(cdev, id);
    if (*cdev) all.push_back(device::vfio_cdev_node(**cdev));
    if (const auto uio = nodes_in(*device, "uio", "uio"); !add(uio)) return pass(uio, id);
    const auto address = PciAddress::parse(id);
    const auto own_vdpa = address ? vdpa->find(*address) : vdpa->end();
    if (own_vdpa == vdpa->end()) continue;
    const auto vhost = nodes_in(*device, own_vdpa->second.name, "vhost-vdpa-");
    if (!add(vhost)) return pass(vhost, id);
  }
  return all;
}

Result<DeviceNodes> NodeReader::read(const Wanted& wanted) const {
  const auto device = folder_of(wanted);
  if (is(device, ErrorCode::not_found)) return gone(wanted.id);
  if (!device) return pass(device);
  DeviceNodes nodes;
  if (wanted.rdma) {
    if (auto done = read_rdma(*device, wanted, nodes); !done) return pass(done);
  }
  if (device::is_vfio_driver(wanted.driver)) {
    if (auto done = read_vfio(*device, wanted, nodes); !done) return pass(done);
  } else if (device::is_userspace_driver(wanted.driver)) {
    if (auto done = read_uio(*device, wanted, nodes); !done) return pass(done);
  }
  if (wanted.vdpa) {
    if (auto done = read_vdpa(*device, wanted, nodes); !done) return pass(done);
  }
  // Whether they are there cannot be seen from a container: the nodes come before their modules,
  // which the first open loads, and the host's /dev is not there. Where one is missing, the runtime
  // fails the container and names it.
  if (wanted.vhost_net) {
    give(nodes, std::string(kVhostNet));
    give(nodes, std::string(kTun));
    nodes.info["vhost"] = {{"net-mount", std::string(kVhostNet)}, {"tun-mount", std::string(kTun)}};
  }
  return nodes;
}

// With several RDMA devices per function a key of _INFO can name but one: rdma_dev the first, the
// others the last, as the readers of this variable know it.
Result<void> NodeReader::read_rdma(const Directory& device, const Wanted& wanted,
                                   DeviceNodes& nodes) const {
  auto rdma = device::read_char_devices(device);
  if (!rdma) return pass(rdma, wanted.id);
  if (rdma->empty()) {
    return fail(ErrorCode::unavailable,
                "device {} has no RDMA device now, which its pool promises; see whether its RDMA "
                "driver and ib_uverbs are loaded",
                wanted.id);
  }
  if (!wanted.issm) {
    for (auto& [name, of_device] : *rdma) {
      std::erase_if(of_device, [](const auto& one) { return one.kind == device::CharKind::issm; });
    }
  }
  auto& info = nodes.info["rdma"];
  info["rdma_dev"] = rdma->begin()->first;
  for (const auto& [name, of_device] : *rdma) {
    for (const auto& node : of_device) {
      give(nodes, node.path());
      info[std::string(to_string(node.kind))] = node.path();
    }
  }
  if (has_connection_manager_) info["rdma_cm"] = kConnectionManager;
  nodes.rdma = std::move(*rdma);
  return {};
}

std::string NodeReader::group_node(const std::string& group) const {
  const auto name = sysfs_.read(fmt::format("kernel/iommu_groups/{}/name", group));
  return device::vfio_node(group, name && *name == "vfio-noiommu");
}

// Programs look for the plain number.
Result<void> NodeReader::read_vfio(const Directory& device, const Wanted& wanted,
                                   DeviceNodes& nodes) const {
  const auto group = device.link_name("iommu_group");
  if (!group) {
    return fail(ErrorCode::unavailable, "device {} has no IOMMU group, which {} needs: {}",
                wanted.id, wanted.driver, group.error().message);
  }
  const std::string path = "/dev/vfio/" + *group;
  give(nodes, "/dev/vfio/vfio");
  nodes.nodes.push_back({group_node(*group), path});
  auto& info = nodes.info["vfio"];
  info = {{"mount", "/dev/vfio/vfio"}, {"dev-mount", path}};
  const auto cdev = device::read_vfio_cdev(device);
  if (!cdev) return pass(cdev, wanted.id);
  if (!*cdev) return {};
  give(nodes, device::vfio_cdev_node(**cdev));
  give(nodes, std::string(device::kIommufd));
  info["cdev-mount"] = device::vfio_cdev_node(**cdev);
  info["iommufd-mount"] = device::kIommufd;
  return {};
}

Result<void> NodeReader::read_uio(const Directory& device, const Wanted& wanted,
                                  DeviceNodes& nodes) {
  const auto name = device::first_numbered(device, "uio", "uio");
  if (!name) return pass(name, wanted.id);
  if (!*name) {
    return fail(ErrorCode::unavailable, "device {} has no uio device now, which {} should make",
                wanted.id, wanted.driver);
  }
  give(nodes, "/dev/" + **name);
  nodes.info["uio"] = {{"mount", "/dev/" + **name}};
  return {};
}

// virtio_vdpa makes a netdev, no node.
Result<void> NodeReader::read_vdpa(const Directory& device, const Wanted& wanted,
                                   DeviceNodes& nodes) {
  if (wanted.vdpa->type != Vdpa::Type::vhost) return {};
  const auto name = device::first_numbered(device, wanted.vdpa->name, "vhost-vdpa-");
  if (!name) return pass(name, wanted.id);
  if (!*name) {
    return fail(
        ErrorCode::unavailable,
        "vDPA device {} of {} has no vhost-vdpa device now; see whether vhost_vdpa is bound",
        wanted.vdpa->name, wanted.id);
  }
  give(nodes, "/dev/" + **name);
  nodes.info["vdpa"] = {{"mount", "/dev/" + **name}};
  return {};
}

}  // namespace railhead::grant
