#pragma once
// An Inventory from what was read of the node, part by part.
#include <map>
#include <string>
#include <vector>

#include "device/functions.hpp"

namespace railhead::device {

using PortsByDevice = std::map<std::string, PortFacts>;  // by RDMA device

// Pure. `groups` are those of `bus` that were read; links, RDMA devices and ports are joined with
// them as they are now, so that one of these may be newer than the rest.
[[nodiscard]] Inventory assemble(const LinkFacts& links, const RdmaFacts& rdma, const BusFacts& bus,
                                 const std::vector<const GroupFacts*>& groups,
                                 const PortsByDevice& ports, const ScanOptions& options);

// Reads everything once, one part after the other, for programs that look and end: a fixed number
// of small sysfs reads per function, one dump of the links, one of the RDMA devices, and the ports
// that are wanted. A subsystem that the kernel lacks is an empty part, and so is a function that
// goes away meanwhile. What is sick is left out with a warning: a function whose sysfs files cannot
// be read, RDMA netlink's answers. Errors: the links and routes (which tell the
// node's own way out), or the PCI folder, cannot be read.
[[nodiscard]] Result<Inventory> scan(const host::Host& host, const ScanOptions& options = {});

}  // namespace railhead::device
