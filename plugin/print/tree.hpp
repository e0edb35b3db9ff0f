#pragma once
// The node as it is printed and drawn: what stands where, and what it is called.
#include <string>
#include <vector>

#include "device/inventory.hpp"

namespace railhead::print {

// A NUMA node, a host bridge in it or a PCIe switch below that, with what hangs off it directly.
struct Group {
  enum class Kind { numa_node, host_bridge, pcie_switch };
  Kind kind = Kind::numa_node;
  std::string name;  // "NUMA node 0", "pci0000:10", a switch's upstream port "0000:11:00.0"
  std::vector<const device::PciFunction*> functions;  // no VFs whose PF is known
  std::vector<Group> groups;
};

// The NUMA nodes, in their order; what belongs to none comes last. The inventory must outlive it.
[[nodiscard]] std::vector<Group> group(const device::Inventory& inventory);

struct Named {
  std::string name;  // "GPU0", "NIC3": numbered in PCI order, as nvidia-smi does it
  const device::PciFunction* function = nullptr;
  std::optional<size_t> rail;   // of a network port, see device/rails.hpp
  std::optional<size_t> plane;  // of a rail that has several
};

struct Names {
  std::vector<Named> gpus;
  std::vector<Named> ports;  // PFs, and NICs and VFs without a known PF
  [[nodiscard]] const Named* find(const device::PciFunction* function) const;
};
[[nodiscard]] Names name(const device::Inventory& inventory);

// "GPU", "PF", "VF", "NIC".
[[nodiscard]] std::string_view kind_of(const device::PciFunction& function);
[[nodiscard]] size_t count_vfs(const device::PciFunction& pf);
// As rdma(8) calls enum ib_port_state: "ACTIVE".
[[nodiscard]] std::string_view port_state(uint8_t state);
// "NUMA node 0", "no NUMA node".
[[nodiscard]] std::string numa_text(const device::PciFunction& function);

}  // namespace railhead::print
