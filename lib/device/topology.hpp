#pragma once
// Where functions stand, as a file tells it in place of sysfs: in a virtual machine each function
// may stand in a PCI domain of its own, and sysfs knows nothing of what is near to what.
#include <map>
#include <string>
#include <vector>

#include "device/values.hpp"

namespace railhead::device {

struct Place {
  std::vector<std::string> path;  // as PciFunction::path
  std::optional<int> numa_node;
  friend bool operator==(const Place&, const Place&) = default;
};

struct Topology {
  std::map<PciAddress, Place> places;

  // The place of the function itself, else of its PF, else of function 0 of the same slot: such
  // files name a card with several ports once. Null when the file tells none.
  [[nodiscard]] const Place* find(const PciFunction& function) const;
  // Puts the functions where the file says, and gives the addresses that none of them has.
  [[nodiscard]] std::vector<PciAddress> apply(std::vector<PciFunction>& functions) const;
  friend bool operator==(const Topology&, const Topology&) = default;
};

}  // namespace railhead::device
