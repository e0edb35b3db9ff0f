#pragma once
// What Allocate gave to a container, left for the CNI binary: it must find the RDMA device's
// character devices unchanged after it has moved the device, or the container would open another
// pod's (their minors are handed out anew by every move).
#include <optional>
#include <string>
#include <vector>

#include "device/values.hpp"

namespace railhead::device {

struct Allocation {
  std::string resource;  // "rdma/vf"
  PciAddress device;
  std::vector<CharDevice> char_devices;  // empty: the container was given none
  std::vector<std::string> other_nodes;  // host paths of what else is this device's: "/dev/vfio/42"
  [[nodiscard]] std::vector<std::string> host_paths() const;  // of both
  friend bool operator==(const Allocation&, const Allocation&) = default;
};

// One file per device below `run_root` (Roots::run): allocations/<BDF>.json, 0600, written
// atomically; a later Allocate of the device replaces it.
[[nodiscard]] Result<void> write_allocation(const std::string& run_root, const Allocation&);
// Nothing when the device was never allocated in this boot.
[[nodiscard]] Result<std::optional<Allocation>> read_allocation(const std::string& run_root,
                                                                const PciAddress& device);
// All, in PCI order, but for those that are no such records. Errors: what keeps one from being
// read.
[[nodiscard]] Result<std::vector<Allocation>> read_allocations(const std::string& run_root);
// The devices that have one, in PCI order.
[[nodiscard]] Result<std::vector<PciAddress>> list_allocations(const std::string& run_root);
[[nodiscard]] Result<void> remove_allocation(const std::string& run_root, const PciAddress& device);

}  // namespace railhead::device
