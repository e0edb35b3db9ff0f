#pragma once
#include <string>

#include "device/inventory.hpp"

namespace railhead::print {

// Where the places of functions are from.
struct Source {
  std::string file;      // "": sysfs
  size_t functions = 0;  // how many functions of the node the file placed; sysfs the others
  [[nodiscard]] std::string to_string() const;
};

// The distance of all GPUs and network ports (PFs, and NICs without VFs) to each other, as
// nvidia-smi's.
[[nodiscard]] std::string topology_text(const device::Inventory& inventory, const Source& source);

// For programs: docs/topology.md lists the keys.
[[nodiscard]] std::string topology_json(const device::Inventory& inventory, const Source& source);

// A drawing of NUMA nodes, host bridges, PCIe switches and what hangs off them. One SVG document
// that needs nothing else, for light and dark pages.
[[nodiscard]] std::string topology_svg(const device::Inventory& inventory, const Source& source);

}  // namespace railhead::print
