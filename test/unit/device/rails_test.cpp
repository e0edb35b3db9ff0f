#include "device/rails.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/text.hpp"
#include "device/assignment.hpp"
#include "test/support/node_builder.hpp"

namespace railhead::test {
namespace {

using device::Cost;

std::vector<std::vector<Cost>> costs(const std::vector<std::vector<int>>& numbers) {
  std::vector<std::vector<Cost>> costs;
  for (const auto& row : numbers) {
    auto& out = costs.emplace_back();
    for (const int number : row) out.push_back({0, number, 0, 0});
  }
  return costs;
}

using Columns = std::vector<std::optional<size_t>>;

std::pair<std::vector<const device::PciFunction*>, std::vector<const device::PciFunction*>>
ports_and_gpus(const device::Inventory& inventory) {
  std::vector<const device::PciFunction*> ports;
  std::vector<const device::PciFunction*> gpus;
  for (const auto& function : inventory.functions()) {
    if (function.is_gpu) gpus.push_back(&function);
    if (function.is_network()) ports.push_back(&function);
  }
  return {ports, gpus};
}

// The ports of each rail, by their planes: "0000:14:00.0 0000:14:00.1".
std::vector<std::string> planes(const NodeBuilder& node) {
  const auto inventory = node.inventory();
  const auto [ports, gpus] = ports_and_gpus(inventory);
  std::vector<std::string> rails;
  for (const auto& rail : device::rails_of(ports, gpus)) {
    std::vector<std::string> names;
    for (const auto& port : rail) names.push_back(port.to_string());
    rails.push_back(join(names, " "));
  }
  return rails;
}

// The addresses of the ports in rail order.
std::vector<std::string> rails(const NodeBuilder& node) {
  const auto inventory = node.inventory();
  const auto [ports, gpus] = ports_and_gpus(inventory);
  std::vector<std::string> order;
  for (const size_t i : device::rail_order(ports, gpus)) {
    order.push_back(ports[i]->address.to_string());
  }
  return order;
}

}  // namespace

TEST_CASE("the ports of a NIC are planes where each GPU can have a NIC, else rails") {
  NodeBuilder node;
  std::vector<std::string> of_nic;
  for (const auto* bus : {"10", "20"}) {
    const auto below = node.pcie_switch(std::string("pci0000:") + bus, 0);
    for (const auto* function : {"0", "1"}) {
      auto& pf = node.pf(std::string("0000:") + bus + ":01." + function, below);
      // The driver's numbers go the other way on the second NIC.
      const bool is_first = (std::string(bus) == "10") == (std::string(function) == "0");
      pf.netdevs.push_back({.name = "p", .phys_port_name = is_first ? "p0" : "p1"});
    }
  }
  using Rails = std::vector<std::string>;
  CHECK(planes(node) == Rails{"0000:10:01.0", "0000:10:01.1", "0000:20:01.0", "0000:20:01.1"});
  node.gpu("0000:30:00.0", node.pcie_switch("pci0000:30", 1));
  node.gpu("0000:40:00.0", node.pcie_switch("pci0000:40", 1));
  CHECK(planes(node) == Rails{"0000:10:01.0 0000:10:01.1", "0000:20:01.1 0000:20:01.0"});
  node.gpu("0000:50:00.0", node.pcie_switch("pci0000:50", 1));  // two NICs for three GPUs
  CHECK(planes(node).size() == 4);
}

TEST_CASE("an assignment has the lowest sum, not the lowest first row") {
  CHECK(device::assign(costs({{1, 2, 9}, {1, 9, 9}, {9, 2, 3}})) == Columns{1, 0, 2});
}

TEST_CASE("an assignment of fewer columns than rows leaves the dearest rows without") {
  CHECK(device::assign(costs({{5, 4}, {0, 3}, {2, 1}})) == Columns{std::nullopt, 0, 1});
  CHECK(device::assign(costs({{5, 4}, {1, 3}, {2, 0}}), 1) ==
        Columns{std::nullopt, std::nullopt, 1});
  CHECK(device::assign(costs({{}, {}})) == Columns{std::nullopt, std::nullopt});
  CHECK(device::assign({}).empty());
}

TEST_CASE("an assignment equals the best of all permutations") {
  unsigned state = 7;  // a small generator: the same numbers everywhere
  const auto next = [&] {
    return static_cast<int>((state = state * 1103515245 + 12345) >> 16 & 7);
  };
  for (int round = 0; round < 50; ++round) {
    std::vector<std::vector<int>> numbers(4, std::vector<int>(6));
    for (auto& row : numbers) {
      for (auto& number : row) number = next();
    }
    std::vector<size_t> columns = {0, 1, 2, 3, 4, 5};
    int best = 1000;
    do {
      int sum = 0;
      for (size_t row = 0; row < 4; ++row) sum += numbers[row][columns[row]];
      best = std::min(best, sum);
    } while (std::next_permutation(columns.begin(), columns.end()));
    int found = 0;
    const auto column_of = device::assign(costs(numbers));
    for (size_t row = 0; row < 4; ++row) found += numbers[row][column_of[row].value()];
    CHECK(found == best);
  }
}

TEST_CASE("rails are numbered by the GPUs, and ports without a GPU come last") {
  CHECK(rails(ten_nic_node()) ==
        std::vector<std::string>{"0000:12:00.0", "0000:22:00.0", "0000:32:00.0", "0000:42:00.0",
                                 "0000:52:00.0", "0000:62:00.0", "0000:72:00.0", "0000:82:00.0",
                                 "0000:13:00.0", "0000:14:00.0"});
}

TEST_CASE("a port before its GPU in PCI order keeps that GPU's rail number") {
  NodeBuilder node;
  node.gpu("0000:11:00.0", NodeBuilder::bridge("pci0000:10", 0));
  node.gpu("0000:21:00.0", NodeBuilder::bridge("pci0000:20", 0));
  node.pf("0000:01:00.0", NodeBuilder::bridge("pci0000:20", 0));
  node.pf("0000:02:00.0", NodeBuilder::bridge("pci0000:10", 0));
  CHECK(rails(node) == std::vector<std::string>{"0000:02:00.0", "0000:01:00.0"});
}

TEST_CASE("rails keep the PCI order where there are no GPUs or the distances do not tell") {
  NodeBuilder node;
  for (const auto* address : {"0000:01:00.0", "0000:02:00.0", "0000:03:00.0"}) {
    node.pf(address, NodeBuilder::bridge("pci0000:00", 0));
  }
  const std::vector<std::string> in_pci_order = {"0000:01:00.0", "0000:02:00.0", "0000:03:00.0"};
  CHECK(rails(node) == in_pci_order);
  node.gpu("0000:04:00.0", NodeBuilder::bridge("pci0000:00", 0));
  node.gpu("0000:05:00.0", NodeBuilder::bridge("pci0000:00", 0));
  CHECK(rails(node) == in_pci_order);
}

}  // namespace railhead::test
