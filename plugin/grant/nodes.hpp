#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "device/values.hpp"
#include "host/files.hpp"
#include "plugin/grant/wanted.hpp"

namespace railhead::grant {

struct Places {
  std::string sysfs = "/sys";
  std::string run = "/run/railhead";  // see device/allocation.hpp
  std::string devinfo = "/var/run/k8s.cni.cncf.io/devinfo/dp";
  std::string dev = "/dev";  // where the host's device nodes are seen, if they are
};

struct DeviceNode {
  std::string host_path;
  std::string container_path;
  std::optional<uint32_t> mode = {};  // in the container; absent: as the runtime finds it
  friend bool operator==(const DeviceNode&, const DeviceNode&) = default;
};

using NodesByDevice = std::map<std::string, std::vector<DeviceNode>>;  // by Wanted::id

// What a container gets of one device, as it stands now: a namespace move or a rebound driver may
// have changed it since the scan.
struct DeviceNodes {
  std::map<std::string, std::vector<device::CharDevice>> rdma;  // by RDMA device
  std::vector<DeviceNode> nodes;                                // all but rdma_cm
  // What _INFO tells: "vfio" -> {"mount": "/dev/vfio/vfio", …}.
  std::map<std::string, std::map<std::string, std::string>> info;
};

inline constexpr std::string_view kConnectionManager = "/dev/infiniband/rdma_cm";
inline constexpr std::string_view kVhostNet = "/dev/vhost-net";
inline constexpr std::string_view kTun = "/dev/net/tun";
// The same path on the host and in the container.
[[nodiscard]] inline DeviceNode same_path(std::string_view path) {
  return {std::string(path), std::string(path)};
}

// Whether it is the id of a device, a PCI address or a sub-function's name, that the kernel shows
// no more; and the error of such a device.
[[nodiscard]] bool is_gone(const std::string& id, const Places& places);
[[nodiscard]] Failure gone(std::string_view id);

// Whether kConnectionManager can be given at all; to name a missing node fails the container.
[[nodiscard]] bool has_connection_manager(const Places& places);

// Looks at several devices of one node.
class NodeReader {
 public:
  [[nodiscard]] static Result<NodeReader> open(const Places& places);

  // Errors: not_found (the device is gone), unavailable (it lacks what is wanted of it), io.
  [[nodiscard]] Result<DeviceNodes> read(const Wanted& wanted) const;

  // The host paths of all nodes that these devices alone have, whatever is wanted of them. Those of
  // devices that are gone are none. Errors: io.
  [[nodiscard]] Result<std::vector<std::string>> own_nodes(
      const std::vector<std::string>& ids) const;

  // The ports of its RDMA device; 1 while the device is in another namespace.
  [[nodiscard]] std::vector<uint32_t> ports_of(const Wanted& wanted,
                                               const std::string& rdma_device) const;

  [[nodiscard]] bool has_connection_manager() const { return has_connection_manager_; }

 private:
  NodeReader(host::Directory sysfs, const Places& places);
  [[nodiscard]] Result<host::Directory> folder_of(const Wanted& wanted) const;
  Result<void> read_rdma(const host::Directory& device, const Wanted&, DeviceNodes&) const;
  Result<void> read_vfio(const host::Directory& device, const Wanted&, DeviceNodes&) const;
  [[nodiscard]] std::string group_node(const std::string& group) const;
  static Result<void> read_uio(const host::Directory& device, const Wanted&, DeviceNodes&);
  static Result<void> read_vdpa(const host::Directory& device, const Wanted&, DeviceNodes&);

  host::Directory sysfs_;
  std::string sysfs_root_;
  bool has_connection_manager_;
};

}  // namespace railhead::grant
