#pragma once
// An inventory made by hand, for tests of what only reads one:
//
//   NodeBuilder node;
//   auto below = node.pcie_switch("pci0000:10", 0);     // a switch on NUMA node 0
//   node.gpu("0000:13:00.0", below);
//   node.pf("0000:14:00.0", below, 4);                  // with VFs 0000:14:00.1 and on
//   … node.inventory() …
#include <list>
#include <string>
#include <vector>

#include "device/inventory.hpp"

namespace railhead::test {

// Where functions stand: their `path` but for the port above each, and their NUMA node.
struct Slot {
  std::vector<std::string> path;
  std::optional<int> numa_node;
  bool is_switch = false;
};

class NodeBuilder {
 public:
  // A host bridge; each function of it gets a root port.
  static Slot bridge(const std::string& name, std::optional<int> numa_node = std::nullopt);
  // A switch below a root port of a host bridge, or below another switch.
  Slot pcie_switch(const std::string& bridge, std::optional<int> numa_node = std::nullopt);
  Slot pcie_switch(const Slot& above);

  device::PciFunction& gpu(const std::string& address, const Slot& slot);
  // A NIC of class 0200; with VFs it is a PF, and VF n stands at function or device n + 1.
  device::PciFunction& pf(const std::string& address, const Slot& slot, unsigned vfs = 0);
  [[nodiscard]] device::Inventory inventory() const;

 private:
  device::PciFunction& add(const std::string& address, const Slot& slot);
  std::vector<std::string> ports_above(const Slot& slot);
  std::list<device::PciFunction> functions_;
  unsigned bridges_ = 0;  // PCIe bridges that were made, for their addresses
};

// As an eight-GPU server: GPU k and PF k below a switch of their own, two switches to a host
// bridge, two host bridges to a NUMA node. GPUs are 0000:X1:00.0 and PFs 0000:X2:00.0, X = 1 to 8.
[[nodiscard]] NodeBuilder eight_gpu_node(unsigned vfs);
// Eight GPUs and ten NICs without VFs, each pair below a host bridge of its own; the first host
// bridge has three NICs. In PCI order NICs 0, 3, 4, … 9 are those with a GPU.
[[nodiscard]] NodeBuilder ten_nic_node();

}  // namespace railhead::test
