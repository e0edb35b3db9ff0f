#pragma once
#include <cstddef>
#include <vector>

#include "device/inventory.hpp"
#include "device/rail_map.hpp"

namespace railhead::device {

// The function that stands for the physical port a function sends by: of a VF its PF, where the
// node shows it (a virtual machine may not), else the function itself.
[[nodiscard]] const PciFunction& port_of(const PciFunction& function, const Inventory& inventory);

// The ports' rail numbers are their places in this list of indexes into `ports`: first the nearest
// port of each GPU, in the GPUs' order (each GPU its own, so that the sum of the distances is the
// lowest), then the ports that no GPU got, in theirs. With a port for each GPU, rail k is GPU k's
// on each node that is built alike, whatever its PCI addresses. Without GPUs, and where all
// distances are equal, the order stays. Both lists in PCI order.
[[nodiscard]] std::vector<size_t> rail_order(const std::vector<const PciFunction*>& ports,
                                             const std::vector<const PciFunction*>& gpus);

// The ports as the node's rails. Where there are GPUs, and at least as many NICs (functions of one
// PCI slot) as GPUs, a NIC is a rail and its ports are the planes of it, by N of their uplinks'
// phys_port_name pN, else in PCI order; in all other cases each port is a rail of its own. Ports
// and GPUs in PCI order.
[[nodiscard]] RailMap rails_of(const std::vector<const PciFunction*>& ports,
                               const std::vector<const PciFunction*>& gpus);

}  // namespace railhead::device
