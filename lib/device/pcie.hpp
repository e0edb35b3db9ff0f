#pragma once
#include <string_view>

#include "device/values.hpp"

namespace railhead::device {

// How far two PCI functions are from each other, nearest first, as `nvidia-smi topo -m` names it.
enum class PcieDistance {
  pix,   // below one PCIe switch, or one root port
  pxb,   // over several PCIe switches, not over the host bridge
  phb,   // over the host bridge (root complex) that both hang off
  node,  // over host bridges of one NUMA node
  sys,   // over the link between NUMA nodes
};
std::string_view to_string(PcieDistance distance);  // "PIX", "PXB", …

[[nodiscard]] PcieDistance distance(const PciFunction& a, const PciFunction& b);

// The PCIe switches above a function, by the address of their upstream port, nearest to the CPU
// first. Below a root port a switch shows as two bridges, its upstream and a downstream port.
[[nodiscard]] std::vector<std::string> switches_above(const PciFunction& function);

}  // namespace railhead::device
