#pragma once
// A resource's devices for the container runtime, by the Container Device Interface (CDI
// specification 0.5.0): kubelet is told a device's name, the runtime finds its nodes in the
// resource's spec file.
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "device/inventory.hpp"
#include "plugin/grant/grant.hpp"

namespace railhead::grant {

struct CdiOptions {
  std::string folder = "/var/run/cdi";
  bool annotations = false;  // name the devices by an annotation too
};

// "rdma/vf" of the resource rdma/vf: a kind of its own for each resource, so that a container may
// have devices of two. Where CDI wants a letter in front and the resource has a digit, "railhead-"
// goes before it.
[[nodiscard]] std::string cdi_kind(const ResourceName& resource);

// The key of an annotation that names CDI devices of this resource, for kubelets before 1.28, which
// do not know the field for them; each resource its own, because kubelet refuses one key twice.
[[nodiscard]] std::string cdi_annotation_key(const ResourceName& resource);

// The nodes of each device that has some, as the inventory shows them: nothing is read. A device
// that is gone, or lacks what is wanted of it, is left out.
[[nodiscard]] NodesByDevice cdi_nodes(const std::vector<Wanted>& wanted,
                                      const device::Inventory& inventory,
                                      bool has_connection_manager);

// The spec file of one resource, `folder`/railhead-<prefix>_<name>.json. It stays when the agent
// ends: kubelet starts a failed container again without asking for its devices anew. Each node has
// the mode of the host's: without one, runc and crun make it 0666. The owner is left to the
// runtime, which takes the container's user. From any thread.
class CdiSpec {
 public:
  // `dev`: as Places has it.
  CdiSpec(std::string folder, const ResourceName& resource, std::string dev = "/dev");

  // When what is given was begun to be read: of two readings of a device the later one counts.
  using TimePoint = std::chrono::steady_clock::time_point;

  // The resource has these devices, and no others. No devices: no file. The same as the last time,
  // of the same readings, costs nothing; written only when it differs.
  [[nodiscard]] Result<void> set(NodesByDevice devices,
                                 const std::map<std::string, TimePoint>& began);
  // These devices have these nodes now.
  [[nodiscard]] Result<void> update(const NodesByDevice& devices, TimePoint began);

 private:
  // With the nodes' modes of now; whether it changes anything.
  bool put(NodesByDevice& devices, const std::string& name, std::vector<DeviceNode> nodes) const;
  Result<void> write();

  const std::string path_;
  const std::string kind_;
  const std::string dev_;
  std::mutex mutex_;
  NodesByDevice set_;                          // as the last set() was told
  std::map<std::string, TimePoint> set_from_;  // the same
  NodesByDevice devices_;                      // what the file is to say
  bool is_written_ = false;                    // and whether it does
  std::map<std::string, TimePoint> updated_;   // devices of an update() since the last set()
};

// Removes the spec files that this program left of other resources than these; nobody else's.
[[nodiscard]] Result<void> remove_stale_cdi_specs(const std::string& folder,
                                                  const std::vector<ResourceName>& resources);

}  // namespace railhead::grant
