// The decoders on messages that a kernel sent (test/golden/netlink), whole and cut.
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>

#include <catch2/catch_test_macros.hpp>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "host/files.hpp"
#include "netlink/address.hpp"
#include "netlink/devlink.hpp"
#include "netlink/link.hpp"
#include "netlink/nldev.hpp"
#include "test/support/must.hpp"

using namespace railhead;
using namespace railhead::netlink;
using railhead::test::must;

namespace {

// A file of test/golden/netlink and the one message in it.
struct Golden {
  explicit Golden(const std::string& name)
      : datagram(must(host::read_file("test/golden/netlink/" + name))) {}
  [[nodiscard]] Bytes bytes() const { return std::as_bytes(std::span(datagram)); }
  [[nodiscard]] Message message() const {
    auto messages = must(parse_messages(bytes()));
    REQUIRE(messages.size() == 1);
    return messages.front();
  }
  std::string datagram;
};

host::IpPrefix ip(const char* text) { return *host::IpPrefix::parse(text); }

using Decoder = std::function<bool(const Message&)>;

template <class T>
Decoder decoder(Result<T> (*decode)(const Message&)) {
  return [decode](const Message& message) { return decode(message).has_value(); };
}

bool decodes_vf(const Message& message) { return decode_vf(message, 1).has_value(); }

// Every golden message, with its decoder and the size of the fixed header it begins with.
struct Case {
  Decoder decode;
  size_t header = 0;
};
const std::map<std::string, Case>& all_goldens() {
  static const std::map<std::string, Case> cases = {
      {"link_veth", {decoder(decode_link), 16}},
      {"link_veth_near", {decoder(decode_link), 16}},
      {"link_vlan", {decoder(decode_link), 16}},
      {"link_vlan_far", {decoder(decode_link), 16}},
      {"link_macvlan", {decoder(decode_link), 16}},
      {"link_igb_vf", {decoder(decode_link), 16}},
      {"link_igb_vf_left", {decoder(decode_link), 16}},
      {"link_veth_xdp", {decoder(decode_link), 16}},
      {"link_igb_vfs", {decodes_vf, 16}},
      {"link_netdevsim_vfs", {decodes_vf, 16}},
      {"link_ipoib_vfs", {decodes_vf, 16}},
      {"address_v4", {decoder(decode_address), 8}},
      {"address_v6", {decoder(decode_address), 8}},
      {"address_peer", {decoder(decode_address), 8}},
      {"address_link_local", {decoder(decode_address), 8}},
      {"address_duplicate", {decoder(decode_address), 8}},
      {"route_metrics", {decoder(decode_route), 12}},
      {"route_on_link", {decoder(decode_route), 12}},
      {"route_via_v6", {decoder(decode_route), 12}},
      {"route_multipath", {decoder(decode_route), 12}},
      {"route_default_v6", {decoder(decode_route), 12}},
      {"route_reject_v6", {decoder(decode_route), 12}},
      {"rule_from_v4", {decoder(decode_rule), 12}},
      {"rule_oif_v6", {decoder(decode_rule), 12}},
      {"rdma_device", {decoder(decode_rdma_device), 0}},
      {"rdma_port_roce", {decoder(decode_rdma_port), 0}},
      {"rdma_port_ib", {decoder(decode_rdma_port), 0}},
      {"rdma_system", {decoder(decode_rdma_system), 0}},
      {"devlink_family", {decoder(decode_generic_family), 4}},
  };
  return cases;
}

// Whether a payload cut to `size` bytes ends where an attribute (or its padding) does: then it is
// a message of its own.
bool is_whole(Bytes payload, size_t header, size_t size) {
  size_t at = header;
  while (at <= size) {
    if (at == size) return true;
    uint16_t length = 0;
    std::memcpy(&length, payload.data() + at, sizeof(length));
    if (size >= at + length && size < at + ((length + 3u) & ~3u)) return true;
    at += (length + 3u) & ~3u;
  }
  return false;
}

}  // namespace

TEST_CASE("A veth link is decoded") {
  auto link = must(decode_link(Golden("link_veth").message()));
  CHECK(link.name == "va");
  CHECK(link.kind == "veth");
  CHECK(link.index == 12);
  CHECK(link.mtu == 1400);
  CHECK(link.type == 1);
  CHECK(link.is_up());
  CHECK(link.carrier == true);
  CHECK_FALSE(link.parent_device);
  CHECK_FALSE(link.master);
}

TEST_CASE("A VF's own link is decoded, with its function and its alternative names") {
  auto link = must(decode_link(Golden("link_igb_vf").message()));
  CHECK(link.name == "pf0v0");
  CHECK(link.alt_names == std::vector<std::string>{"rail0", "a-long-name-of-the-rail-0"});
  CHECK(link.parent_bus == "pci");
  CHECK(link.parent_device == "0000:23:10.0");
  CHECK(link.permanent_address == link.address);
  CHECK(link.address.size() == 6);
  CHECK_FALSE(link.kind);
  CHECK_FALSE(link.is_up());
}

TEST_CASE("What a pod left on a VF is decoded: flags, alias, an XDP program") {
  const auto link = must(decode_link(Golden("link_igb_vf_left").message()));
  CHECK(link.is_promisc());
  CHECK(link.is_allmulti());
  CHECK_FALSE(link.is_up());
  CHECK(link.alias == "rail 0 of the pod");
  CHECK(link.xdp == host::XdpPrograms{.generic = 1});
  CHECK(must(decode_link(Golden("link_veth_xdp").message())).xdp == host::XdpPrograms{.driver = 1});

  const auto clean = must(decode_link(Golden("link_igb_vf").message()));
  CHECK_FALSE(clean.is_promisc());
  CHECK(clean.alias.empty());
  CHECK_FALSE(clean.xdp);
}

TEST_CASE("An igb VF is decoded; what the driver does not know is absent") {
  const Golden golden("link_igb_vfs");
  auto vf = must(decode_vf(golden.message(), 0));
  CHECK(vf == host::VfAttributes{.mac = HwAddress::parse("02:00:00:00:00:aa"),
                                 .vlan = host::VfVlan{100, 3, 0x8100},
                                 .rate = host::VfRate{0, 200},
                                 .spoofchk = false,
                                 .trust = true,
                                 .link_state = host::VfLinkState::automatic});
  auto second = must(decode_vf(golden.message(), 1));
  REQUIRE(second);
  CHECK(second->vlan == host::VfVlan{0, 0, 0x8100});
  CHECK(second->spoofchk == true);
  CHECK(must(decode_vf(golden.message(), 2)) == std::nullopt);
  CHECK(must(decode_vfs(golden.message())) ==
        std::map<uint32_t, host::VfAttributes>{{0, *vf}, {1, *second}});
  CHECK(must(decode_link(golden.message())).num_vfs == 2);
}

TEST_CASE("A VF with an 802.1ad VLAN, both rates and a link state is decoded") {
  auto vf = must(decode_vf(Golden("link_netdevsim_vfs").message(), 1));
  REQUIRE(vf);
  CHECK(vf->vlan == host::VfVlan{200, 5, 0x88a8});
  CHECK(vf->rate == host::VfRate{10, 100});
  CHECK(vf->link_state == host::VfLinkState::disable);
}

TEST_CASE("An InfiniBand VF is decoded, with its GUIDs and an address of 20 bytes") {
  auto vf = must(decode_vf(Golden("link_ipoib_vfs").message(), 0));
  REQUIRE(vf);
  CHECK(vf->node_guid == Guid{0x0011223344556677});
  CHECK(vf->port_guid == Guid{0x0011223344556678});
  CHECK(vf->link_state == host::VfLinkState::enable);
  CHECK(vf->mac->size() == 20);
}

TEST_CASE("A VLAN and a macvlan tell the link below them") {
  auto vlan = must(decode_link(Golden("link_vlan").message()));
  CHECK(vlan.kind == "vlan");
  CHECK(vlan.index == 4);
  CHECK(vlan.lower() == 3);
  auto macvlan = must(decode_link(Golden("link_macvlan").message()));
  CHECK(macvlan.kind == "macvlan");
  CHECK(macvlan.lower() == 3);
}

TEST_CASE("What a VLAN stands on in another namespace, and a veth's peer, are no links below") {
  auto vlan = must(decode_link(Golden("link_vlan_far").message()));
  CHECK(vlan.kind == "vlan");
  CHECK_FALSE(vlan.lower());
  CHECK(vlan.lower_index);
  CHECK(vlan.lower_netns == 0);
  auto veth = must(decode_link(Golden("link_veth_near").message()));
  CHECK(veth.kind == "veth");
  CHECK_FALSE(veth.lower());
  CHECK_FALSE(must(decode_link(Golden("link_igb_vf").message())).lower());
}

TEST_CASE("Addresses are decoded with their scope; of a point-to-point link the own one") {
  CHECK(must(decode_address(Golden("address_v4").message())) ==
        host::LinkAddress{12, ip("10.1.2.3/24"), 0});
  CHECK(must(decode_address(Golden("address_v6").message())) ==
        host::LinkAddress{12, ip("fd00::5/64"), 0});
  CHECK(must(decode_address(Golden("address_peer").message())) ==
        host::LinkAddress{12, ip("10.5.0.1/32"), 0});
  const auto local = must(decode_address(Golden("address_link_local").message()));
  CHECK(local == host::LinkAddress{3, ip("fe80::5884:eaff:fee9:3646/64"), 253});
  CHECK_FALSE(local->is_global());
}

TEST_CASE("An address that failed duplicate address detection says so") {
  CHECK(must(decode_address(Golden("address_duplicate").message())) ==
        host::LinkAddress{3, ip("fd00::5/64"), 0, true});
}

TEST_CASE("An address of another family than IP is passed over") {
  ifaddrmsg header{};
  header.ifa_family = AF_MCTP;
  CHECK(must(decode_address({RTM_NEWADDR, 0, 0, bytes_of(header)})) == std::nullopt);
}

TEST_CASE("Rules are decoded with what they look at, and whose they are") {
  CHECK(must(decode_rule(Golden("rule_from_v4").message())) == host::Rule{.priority = 1001,
                                                                          .table = 1016,
                                                                          .from = ip("10.9.0.5/32"),
                                                                          .out_link = "",
                                                                          .protocol = 98});
  CHECK(must(decode_rule(Golden("rule_oif_v6").message())) == host::Rule{.v6 = true,
                                                                         .priority = 1000,
                                                                         .table = 1016,
                                                                         .from = {},
                                                                         .out_link = "lo",
                                                                         .protocol = 98});
}

TEST_CASE("Routes are decoded, one for each next hop") {
  CHECK(must(decode_route(Golden("route_metrics").message())) ==
        std::vector{host::Route{.destination = ip("0.0.0.0/0"),
                                .gateway = ip("10.1.2.1"),
                                .out_index = 12,
                                .metric = 50,
                                .table = 100,
                                .scope = 0,
                                .mtu = 1200,
                                .advmss = 1100}});
  CHECK(must(decode_route(Golden("route_on_link").message())) ==
        std::vector{host::Route{
            .destination = ip("10.9.0.0/16"), .out_index = 12, .table = 254, .scope = 253}});
  CHECK(must(decode_route(Golden("route_via_v6").message())).at(0).gateway == ip("fd00::9"));

  CHECK(must(decode_route(Golden("route_default_v6").message())) ==
        std::vector{host::Route{.destination = ip("::/0"),
                                .gateway = ip("fe80::1"),
                                .out_index = 3,
                                .metric = 100,
                                .table = 254,
                                .scope = 0}});

  auto hops = must(decode_route(Golden("route_multipath").message()));
  REQUIRE(hops.size() == 2);
  CHECK(hops[0].destination == ip("fd01::/64"));
  CHECK(hops[0].gateway == ip("fd00::1"));
  CHECK(hops[1].gateway == ip("fd00::2"));
  CHECK(hops[1].out_index == 12);
}

TEST_CASE("Routes that the kernel made for its own use, or that refuse, are left out") {
  CHECK(must(decode_route(Golden("route_reject_v6").message())).empty());
  CHECK(must(decode_route(Golden("route_local").message())).empty());
  CHECK(must(decode_route(Golden("route_multicast").message())).empty());
}

TEST_CASE("RDMA devices, ports and the namespace mode are decoded") {
  CHECK(must(decode_rdma_device(Golden("rdma_device").message())) ==
        host::RdmaLink{.index = 0,
                       .name = "mlx5_0",
                       .node_guid = {0x00c9f8fffe4b56b5},
                       .protocol = "roce",
                       .port_count = 1});
  CHECK(must(decode_rdma_port(Golden("rdma_port_roce").message())) ==
        host::RdmaPort{.number = 1, .state = 1, .physical_state = 3, .netdev = "pf0v0"});
  CHECK(must(decode_rdma_port(Golden("rdma_port_ib").message())) ==
        host::RdmaPort{.number = 1, .state = 4, .physical_state = 5, .netdev = std::nullopt});
  CHECK(must(decode_rdma_system(Golden("rdma_system").message())) ==
        host::RdmaNetnsMode::exclusive);
}

TEST_CASE("The devlink family and its groups are decoded") {
  CHECK(must(decode_generic_family(Golden("devlink_family").message())) >= 16);
  CHECK(must(decode_generic_group(Golden("devlink_family").message(), "config")).value() > 0);
  CHECK_FALSE(must(decode_generic_group(Golden("devlink_family").message(), "other")));
}

TEST_CASE("A datagram that is cut anywhere is refused") {
  for (const auto& [name, golden_case] : all_goldens()) {
    const Golden golden(name);
    for (size_t size = 1; size < golden.bytes().size(); ++size) {
      INFO(name << " cut to " << size);
      REQUIRE(is(parse_messages(golden.bytes().first(size)), ErrorCode::decode));
    }
  }
}

TEST_CASE("A message that is cut anywhere but between two attributes is refused") {
  for (const auto& [name, golden_case] : all_goldens()) {
    const Golden golden(name);
    auto message = golden.message();
    const auto payload = message.payload;
    REQUIRE(golden_case.decode(message));
    for (size_t size = 0; size < payload.size(); ++size) {
      // A copy of its own, so that a sanitizer sees a read behind its end.
      auto copy = std::make_unique<std::byte[]>(size);
      std::memcpy(copy.get(), payload.data(), size);
      message.payload = Bytes(copy.get(), size);
      INFO(name << " cut to " << size);
      const bool decoded = golden_case.decode(message);
      REQUIRE((!decoded || is_whole(payload, golden_case.header, size)));
    }
  }
}
