#include "plugin/health/ports.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace railhead;

namespace {

using device::LinkLayer;

device::PciFunction function(const char* address, const char* rdma, LinkLayer layer) {
  device::PciFunction one;
  one.address = *PciAddress::parse(address);
  one.rdma.push_back({.name = rdma, .link_layer = layer, .ports = {{.number = 1, .state = 4}}});
  one.netdevs.push_back({.name = "of_" + one.rdma[0].name});
  return one;
}

std::vector<std::string> names(const std::vector<const device::RdmaDevice*>& devices) {
  std::vector<std::string> names;
  for (const auto* device : devices) names.push_back(device->name);
  return names;
}

}  // namespace

TEST_CASE("no link event tells of InfiniBand ports, nor of ports without netdev") {
  const auto infiniband = function("0000:10:00.0", "ib_pf", LinkLayer::infiniband);
  const auto roce = function("0000:20:00.0", "roce_pf", LinkLayer::ethernet);
  auto bare = function("0000:28:00.0", "bare_pf", LinkLayer::ethernet);
  bare.netdevs.clear();
  auto infiniband_vf = function("0000:10:00.1", "ib_vf", LinkLayer::infiniband);
  infiniband_vf.pf = infiniband.address;
  auto roce_vf = function("0000:20:00.1", "roce_vf", LinkLayer::ethernet);
  roce_vf.pf = roce.address;
  auto away = function("0000:30:00.0", "away", LinkLayer::infiniband);
  away.rdma[0].in_host_namespace = false;
  auto other_vf = function("0000:10:00.2", "other_vf", LinkLayer::infiniband);
  other_vf.pf = infiniband.address;
  const device::Inventory node({infiniband, infiniband_vf, other_vf, roce, roce_vf, bare, away},
                               std::nullopt, {});
  const auto ports = health::ports_of(node, {"0000:10:00.1", "0000:20:00.1"});
  CHECK(names(ports.of_pfs) == std::vector<std::string>{"ib_pf", "roce_pf", "bare_pf"});
  CHECK(ports.untold == std::set<std::string>{"ib_pf", "bare_pf"});
  CHECK(ports.functions_of_vfs == std::set{infiniband_vf.address});
}
