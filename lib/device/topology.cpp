#include "device/topology.hpp"

#include <set>

namespace railhead::device {

const Place* Topology::find(const PciFunction& function) const {
  PciAddress first = function.address;
  first.function = 0;
  for (const auto& address : {function.address, function.pf.value_or(function.address), first}) {
    const auto known = places.find(address);
    if (known != places.end()) return &known->second;
  }
  return nullptr;
}

std::vector<PciAddress> Topology::apply(std::vector<PciFunction>& functions) const {
  std::set<PciAddress> present;
  for (auto& function : functions) {
    present.insert(function.address);
    if (const auto* place = find(function)) {
      function.path = place->path;
      function.numa_node = place->numa_node;
    }
  }
  std::vector<PciAddress> unknown;
  for (const auto& [address, place] : places) {
    if (!present.contains(address)) unknown.push_back(address);
  }
  return unknown;
}

}  // namespace railhead::device
