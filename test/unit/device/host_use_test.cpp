// Which links the node itself uses, over every order of what can be stacked.
#include "device/host_use.hpp"

#include <algorithm>

#include <catch2/catch_test_macros.hpp>

#include "test/support/must.hpp"
#include "test/support/still_host.hpp"
#include "test/support/temporary_folder.hpp"

namespace railhead::test {
namespace {

using Set = std::set<uint32_t>;

host::Link link(uint32_t index, std::optional<std::string> kind = std::nullopt) {
  host::Link link;
  link.index = index;
  link.kind = std::move(kind);
  return link;
}

// `upper` sends through `lower`: as its port, or, what stands on one link only, by IFLA_LINK.
void stack(host::Link& upper, host::Link& lower) {
  if (upper.kind == "bond" || upper.kind == "bridge" || upper.kind == "vrf") {
    lower.master = upper.index;
  } else {
    upper.lower_index = lower.index;
  }
}

host::Route default_route(uint32_t out, const char* destination = "0.0.0.0/0") {
  return {.destination = *host::IpPrefix::parse(destination), .out_index = out};
}

host::LinkAddress address(uint32_t index, const char* text, uint8_t scope) {
  return {index, *host::IpPrefix::parse(text), scope};
}

constexpr uint8_t kUniverse = 0;  // RT_SCOPE_*
constexpr uint8_t kLink = 253;
constexpr uint8_t kHost = 254;

}  // namespace

TEST_CASE("what is stacked in any order is followed down to the NIC, and no further") {
  std::vector<std::string> kinds = {"bond", "bridge", "macvlan", "vlan", "vrf"};
  unsigned orders = 0;
  do {
    // 10 is the NIC, 11 the link that stands on it, …; 20 is another NIC.
    std::vector<host::Link> tower = {link(10)};
    for (uint32_t i = 0; i < kinds.size(); ++i) tower.push_back(link(11 + i, kinds[i]));
    for (size_t i = 1; i < tower.size(); ++i) stack(tower[i], tower[i - 1]);
    tower.push_back(link(20));
    INFO(kinds[0] << " below " << kinds[1] << ", " << kinds[2] << ", " << kinds[3] << ", "
                  << kinds[4]);
    CHECK(device::with_links_below({15}, tower) == Set{10, 11, 12, 13, 14, 15});
    CHECK(device::with_links_below({12}, tower) == Set{10, 11, 12});
    CHECK(device::with_links_below({10}, tower) == Set{10});
    ++orders;
  } while (std::ranges::next_permutation(kinds).found);
  CHECK(orders == 120);
}

TEST_CASE("all ports of a bond carry what the VLAN on it carries, a VLAN on one port only that") {
  auto bond = link(9, "bond");
  auto first = link(1), second = link(2);
  first.master = second.master = 9;
  auto on_bond = link(11, "vlan"), on_port = link(12, "vlan");
  on_bond.lower_index = 9;
  on_port.lower_index = 1;
  const std::vector links = {first, second, bond, on_bond, on_port};
  CHECK(device::with_links_below({11}, links) == Set{1, 2, 9, 11});
  CHECK(device::with_links_below({12}, links) == Set{1, 12});
}

TEST_CASE("a circle ends: a dump may be of two moments") {
  auto a = link(1, "vlan"), b = link(2, "vlan"), c = link(3, "bridge");
  a.lower_index = 2;
  b.lower_index = 1;
  b.master = 3;
  c.master = 1;
  CHECK(device::with_links_below({1}, {a, b, c}) == Set{1, 2, 3});
  a.lower_index = 1;
  CHECK(device::with_links_below({1}, {a}) == Set{1});
}

TEST_CASE("a link below that is not there is passed over") {
  auto vlan = link(5, "vlan");
  vlan.lower_index = 77;
  CHECK(device::with_links_below({5}, {vlan, link(6)}).contains(5));
  CHECK_FALSE(device::with_links_below({5}, {vlan, link(6)}).contains(6));
}

TEST_CASE("a route over an Open vSwitch bridge may leave by each port of the datapath") {
  auto datapath = link(7, "openvswitch"), bridge = link(8, "openvswitch");
  auto nic = link(1), other = link(2);
  nic.master = 7;
  const std::vector links = {nic, other, datapath, bridge};
  CHECK(device::with_links_below({8}, links) == Set{1, 8});
  CHECK(device::with_links_below({2}, links) == Set{2});
}

TEST_CASE("default routes of both families count, each next hop of them") {
  const std::vector links = {link(1), link(2), link(3), link(4)};
  const auto use =
      device::host_use({default_route(1), default_route(2), default_route(4, "::/0")}, {}, links);
  CHECK(use.default_route == Set{1, 2, 4});
  CHECK(use.global_address.empty());
}

TEST_CASE("addresses count by their scope: link-local ones and the loopback's do not") {
  auto bond = link(9, "bond");
  auto port = link(1);
  port.master = 9;
  const std::vector links = {port, link(2), link(3), link(4), bond};
  const auto use =
      device::host_use({},
                       {address(9, "10.0.0.5/24", kUniverse), address(2, "fe80::1/64", kLink),
                        address(3, "fd00::5/64", kUniverse), address(4, "127.0.0.1/8", kHost)},
                       links);
  CHECK(use.global_address == Set{1, 3, 9});
  CHECK(use.default_route.empty());
}

TEST_CASE("routes and addresses are read from the host's links") {
  const TemporaryFolder folder;
  StillHost still(folder.path());
  auto vlan = link(5, "vlan");
  vlan.lower_index = 1;
  still.links.defaults = {default_route(5)};
  still.links.of_all = {address(2, "192.0.2.1/32", kUniverse)};
  const auto use = must(device::read_host_use(still.host.links, {link(1), link(2), vlan}));
  CHECK(use.default_route == Set{1, 5});
  CHECK(use.global_address == Set{2});
}

}  // namespace railhead::test
