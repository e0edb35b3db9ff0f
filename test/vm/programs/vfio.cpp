// Opens a VFIO group and a device of it as a user-space driver does, through the nodes that it was
// given (linux/vfio.h):  vm_vfio CONTAINER-NODE GROUP-NODE PCI-ADDRESS
// Prints what it found; exit code 1 and the step that failed where the group cannot be used.
#include <array>
#include <cerrno>
#include <cstdint>
#include <iostream>
#include <string>

#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace railhead {
namespace {

Result<UniqueFd> open_node(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "{}", path);
  return fd;
}

// The id that a driver would find: a VF's own configuration space has none, VFIO puts it there.
Result<std::string> read_id(int device) {
  vfio_region_info region{};
  region.argsz = sizeof(region);
  region.index = VFIO_PCI_CONFIG_REGION_INDEX;
  if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region) != 0) {
    return fail_errno(errno, "VFIO_DEVICE_GET_REGION_INFO");
  }
  std::array<uint16_t, 2> id{};
  if (pread(device, id.data(), sizeof(id), static_cast<off_t>(region.offset)) != sizeof(id)) {
    return fail_errno(errno, "reading the configuration space");
  }
  return fmt::format("{:04x}:{:04x}", id[0], id[1]);
}

Result<void> use(const std::string& container_node, const std::string& group_node,
                 const std::string& address) {
  const auto container = open_node(container_node);
  if (!container) return pass(container);
  const auto group = open_node(group_node);
  if (!group) return pass(group);
  vfio_group_status status{};
  status.argsz = sizeof(status);
  if (ioctl(group->get(), VFIO_GROUP_GET_STATUS, &status) != 0) {
    return fail_errno(errno, "VFIO_GROUP_GET_STATUS");
  }
  const bool viable = (status.flags & VFIO_GROUP_FLAGS_VIABLE) != 0;
  std::cout << "the group is " << (viable ? "viable" : "not viable") << '\n';
  const int container_fd = container->get();
  if (ioctl(group->get(), VFIO_GROUP_SET_CONTAINER, &container_fd) != 0) {
    return fail_errno(errno, "VFIO_GROUP_SET_CONTAINER");
  }
  if (ioctl(container_fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) != 0) {
    return fail_errno(errno, "VFIO_SET_IOMMU");
  }
  const UniqueFd device(ioctl(group->get(), VFIO_GROUP_GET_DEVICE_FD, address.c_str()));
  if (!device) return fail_errno(errno, "VFIO_GROUP_GET_DEVICE_FD {}", address);
  const auto id = read_id(device.get());
  if (!id) return pass(id);
  std::cout << "the device is " << *id << '\n';
  return {};
}

}  // namespace
}  // namespace railhead

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: vm_vfio CONTAINER-NODE GROUP-NODE PCI-ADDRESS\n";
    return 2;
  }
  const auto used = railhead::use(argv[1], argv[2], argv[3]);
  if (used) return 0;
  std::cout << used.error().message << '\n';
  return 1;
}
