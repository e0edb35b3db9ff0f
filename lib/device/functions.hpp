#pragma once
// PCI functions in groups that are read together: what hangs in one of them, because a driver or
// the device itself does not answer, must not keep those of others from being read.
#include <map>
#include <string>
#include <vector>

#include "device/inventory.hpp"
#include "device/subsystems.hpp"
#include "host/devlink.hpp"

namespace railhead::device {

// A PF with its VFs and sub-functions, or a function that is alone.
struct FunctionGroup {
  PciAddress head;                         // the PF, or that function
  std::vector<PciAddress> functions;       // the head and its VFs, in PCI order
  std::vector<std::string> sub_functions;  // "mlx5_core.sf.4"
  friend bool operator==(const FunctionGroup&, const FunctionGroup&) = default;
};

struct BusFacts {
  std::vector<FunctionGroup> groups;      // by head
  std::map<PciAddress, VdpaDevice> vdpa;  // by parent
  Warnings warnings;
};
// Which functions there are: names, classes and links only, of which no driver is asked. What is
// neither a network function nor may be a GPU is left out. Errors: the PCI folder cannot be read.
[[nodiscard]] Result<BusFacts> read_bus(const std::string& sysfs_root, const ScanOptions& options);

// What sysfs and devlink tell of a group's functions; their parts as known at that moment.
struct GroupFacts {
  std::vector<PciFunction> functions;
  Warnings warnings;      // what could not be read
  bool is_early = false;  // something is not there yet, and no event will tell
};
struct Known {
  const LinkFacts& links;
  const RdmaFacts& rdma;
};
// Reads files that drivers and the device answer: this may take as long as they like. A function
// that cannot be read is left out with a warning; one that went away meanwhile, silently.
[[nodiscard]] GroupFacts read_group(const host::Roots& roots, const FunctionGroup& group,
                                    const Known& known, host::Devlink& devlink,
                                    const ScanOptions& options);

// The RDMA devices of a group whose ports `options` wants to be asked.
[[nodiscard]] std::vector<host::RdmaLink> devices_to_ask(const GroupFacts& group,
                                                         const RdmaFacts& rdma,
                                                         const ScanOptions& options);

}  // namespace railhead::device
