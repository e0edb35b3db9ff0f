#include "device/pcie.hpp"

#include <algorithm>

namespace railhead::device {
namespace {

// path[0] is the host bridge, path[1] the root port, then upstream and downstream ports in turn.
constexpr size_t kFirstSwitch = 2;

}  // namespace

std::string_view to_string(PcieDistance distance) {
  switch (distance) {
    case PcieDistance::pix:
      return "PIX";
    case PcieDistance::pxb:
      return "PXB";
    case PcieDistance::phb:
      return "PHB";
    case PcieDistance::node:
      return "NODE";
    case PcieDistance::sys:
      return "SYS";
  }
  return "unknown";
}

PcieDistance distance(const PciFunction& a, const PciFunction& b) {
  const auto [in_a, in_b] =
      std::mismatch(a.path.begin(), a.path.end(), b.path.begin(), b.path.end());
  const auto common = in_a - a.path.begin();
  if (common == 0) return a.numa_node == b.numa_node ? PcieDistance::node : PcieDistance::sys;
  if (common == 1) return PcieDistance::phb;
  // Below their last common bridge each side may have the one downstream port of that switch.
  const bool one_switch = a.path.end() - in_a <= 1 && b.path.end() - in_b <= 1;
  return one_switch ? PcieDistance::pix : PcieDistance::pxb;
}

std::vector<std::string> switches_above(const PciFunction& function) {
  std::vector<std::string> switches;
  for (size_t i = kFirstSwitch; i + 1 < function.path.size(); i += 2) {
    switches.push_back(function.path[i]);
  }
  return switches;
}

}  // namespace railhead::device
