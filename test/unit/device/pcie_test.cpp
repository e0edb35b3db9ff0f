#include "device/pcie.hpp"

#include <catch2/catch_test_macros.hpp>

namespace railhead::device {
namespace {

PciFunction at(std::vector<std::string> path, std::optional<int> numa = 0) {
  PciFunction function;
  function.path = std::move(path);
  function.numa_node = numa;
  return function;
}

const std::vector<std::string> kRootPort = {"pci0000:20", "0000:20:00.0"};

std::vector<std::string> below(std::vector<std::string> path, std::vector<std::string> more) {
  path.insert(path.end(), more.begin(), more.end());
  return path;
}

}  // namespace

TEST_CASE("two ports of one switch are PIX") {
  const auto nic = at(below(kRootPort, {"0000:21:00.0", "0000:22:00.0"}));
  const auto gpu = at(below(kRootPort, {"0000:21:00.0", "0000:22:01.0"}));
  CHECK(distance(nic, gpu) == PcieDistance::pix);
  CHECK(distance(gpu, nic) == PcieDistance::pix);
}

TEST_CASE("functions of one slot are PIX, below a switch and below a root port") {
  CHECK(distance(at(kRootPort), at(kRootPort)) == PcieDistance::pix);
  const auto slot = below(kRootPort, {"0000:21:00.0", "0000:22:00.0"});
  CHECK(distance(at(slot), at(slot)) == PcieDistance::pix);
}

TEST_CASE("a switch below a switch is PXB") {
  const auto nic = at(below(kRootPort, {"0000:21:00.0", "0000:22:00.0"}));
  const auto gpu =
      at(below(kRootPort, {"0000:21:00.0", "0000:22:01.0", "0000:24:00.0", "0000:25:00.0"}));
  CHECK(distance(nic, gpu) == PcieDistance::pxb);
  CHECK(distance(gpu, nic) == PcieDistance::pxb);
}

TEST_CASE("two root ports of one host bridge are PHB") {
  const auto nic = at(below(kRootPort, {"0000:21:00.0", "0000:22:00.0"}));
  CHECK(distance(nic, at({"pci0000:20", "0000:20:01.0"})) == PcieDistance::phb);
}

TEST_CASE("two host bridges are NODE within a NUMA node and SYS across") {
  CHECK(distance(at({"pci0000:20"}, 0), at({"pci0000:40"}, 0)) == PcieDistance::node);
  CHECK(distance(at({"pci0000:20"}, 0), at({"pci0000:40"}, 1)) == PcieDistance::sys);
}

TEST_CASE("a node without NUMA information has one node") {
  const auto a = at({"pci0000:20"}, std::nullopt);
  const auto b = at({"pci0000:40"}, std::nullopt);
  CHECK(distance(a, b) == PcieDistance::node);
}

TEST_CASE("the switches above a function are named by their upstream ports") {
  CHECK(switches_above(at(kRootPort)).empty());
  const auto deep =
      below(kRootPort, {"0000:21:00.0", "0000:22:01.0", "0000:24:00.0", "0000:25:00.0"});
  CHECK(switches_above(at(deep)) == std::vector<std::string>{"0000:21:00.0", "0000:24:00.0"});
}

}  // namespace railhead::device
