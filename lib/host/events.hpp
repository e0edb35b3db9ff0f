#pragma once
// PORT: what the kernel says when the node's devices change.
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace railhead::host {

// A step of the kernel's recovery of a PCI function after a bus error (pci_uevent_ers), or, without
// a step, that the function was made, removed or bound to a driver: older errors are of the past.
struct PciRecovery {
  std::string function;  // "0000:3b:00.0"
  std::string step;  // ERROR_EVENT: "BEGIN_RECOVERY", "SUCCESSFUL_RECOVERY", "FAILED_RECOVERY"; ""
  friend bool operator==(const PciRecovery&, const PciRecovery&) = default;
};

// What was reported since the last read. Events only say that it is time to look again: what is
// so is read from the kernel then, and the hints say where to look.
struct EventBatch {
  std::vector<std::string> causes;  // a phrase per event that concerns devices: "pci unbind …"
  bool lost = false;  // the kernel had more to say than could be kept: anything may have changed
  std::vector<PciRecovery> recoveries;

  // Each cause comes with at least one of these.
  bool links = false;  // a link, a default route, a global address
  bool rdma = false;   // an RDMA device or one of its ports
  // PCI functions "0000:3b:00.2" that were made, removed or bound, or on which a netdev, RDMA or
  // auxiliary device was. What is told of others by them (a VF's PF, an IOMMU group) is not named.
  std::set<std::string> functions;
  bool everything = false;  // where to look cannot be told: events were lost, or not understood

  [[nodiscard]] bool empty() const { return causes.empty() && !lost; }
  void add(const EventBatch& other);
};

class Events {
 public:
  virtual ~Events() = default;
  [[nodiscard]] virtual int fd() const = 0;  // readable: read() has something
  // Never waits. What concerns no device of the node (the veth pairs of pods) is left out.
  [[nodiscard]] virtual EventBatch read() = 0;
};

}  // namespace railhead::host
