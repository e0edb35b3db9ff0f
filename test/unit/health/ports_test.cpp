#include "plugin/health/ports.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace railhead;

namespace {

device::PciFunction function(const char* address, const char* rdma) {
  device::PciFunction one;
  one.address = *PciAddress::parse(address);
  one.pci_class = 0x020700;
  one.rdma.push_back({.name = rdma, .ports = {{.number = 1, .state = 4}}});
  return one;
}

device::Inventory node() {
  auto pf = function("0000:10:00.0", "mlx5_0");
  auto ethernet = function("0000:20:00.0", "mlx5_1");
  ethernet.netdevs.push_back({.name = "p1"});
  auto vf = function("0000:11:00.0", "mlx5_2");
  vf.pf = pf.address;
  auto away = function("0000:30:00.0", "mlx5_3");
  away.rdma[0].in_host_namespace = false;
  return device::Inventory({pf, ethernet, vf, away}, std::nullopt, {});
}

}  // namespace

TEST_CASE("Ports of physical functions in the host are followed, and no others") {
  const auto ports = health::ports_of(node());
  CHECK(ports.devices == std::vector<std::string>{"mlx5_0", "mlx5_1"});
  CHECK(ports.with_netdev == std::set<std::string>{"mlx5_1"});
}

TEST_CASE("A port has changed when its state is another, or its device is unknown") {
  host::RdmaLink link{.name = "mlx5_0", .ports = {{.number = 1, .state = 4}}};
  CHECK_FALSE(health::ports_changed(node(), link));
  link.ports[0].state = 1;
  CHECK(health::ports_changed(node(), link));
  link.name = "mlx5_9";
  CHECK(health::ports_changed(node(), link));
}
