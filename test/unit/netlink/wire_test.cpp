// Framing, and the bytes of the requests.
#include "netlink/wire.hpp"

#include <algorithm>
#include <cerrno>

#include <catch2/catch_test_macros.hpp>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "netlink/address.hpp"
#include "netlink/link.hpp"
#include "test/support/must.hpp"

using namespace railhead;
using namespace railhead::netlink;
using railhead::test::must;

namespace {

// What a request says, as the kernel would read it: its attributes behind a header of that size.
struct Read {
  Read(Request what, size_t header)
      : request(std::move(what)),
        message(must(parse_messages(request.bytes())).at(0)),
        attributes(must(Attributes::parse(message.payload, header))) {}
  Request request;  // into whose bytes the others look
  Message message;
  Attributes attributes;
};

Attributes inside(const Attributes& attributes, uint16_t type) {
  return must(Attributes::parse(attributes.bytes(type).value()));
}

}  // namespace

TEST_CASE("A request is acknowledged unless it is a dump, which has an end of its own") {
  CHECK(must(parse_messages(get_link(3).bytes())).at(0).flags == (NLM_F_REQUEST | NLM_F_ACK));
  CHECK(must(parse_messages(get_links().bytes())).at(0).flags == (NLM_F_REQUEST | NLM_F_DUMP));
}

TEST_CASE("A move with a new name is one message: namespace, name, address, MTU, flags") {
  Read read(change_link(7, {.netns_fd = 9,
                            .name = "net1",
                            .address = HwAddress::parse("02:00:00:00:00:01"),
                            .mtu = 9000,
                            .up = false}),
            sizeof(ifinfomsg));
  auto header = must(read_header<ifinfomsg>(read.message.payload));
  CHECK(read.message.type == RTM_NEWLINK);
  CHECK(header.ifi_index == 7);
  CHECK(header.ifi_change == 1);
  CHECK(header.ifi_flags == 0);
  CHECK(read.attributes.u32(IFLA_NET_NS_FD) == 9);
  CHECK(read.attributes.string(IFLA_IFNAME) == "net1");
  CHECK(read.attributes.bytes(IFLA_ADDRESS)->size() == 6);
  CHECK(read.attributes.u32(IFLA_MTU) == 9000);
}

TEST_CASE("Only the flags that a change names are changed") {
  Read read(change_link(7, {.promisc = false, .allmulti = true}), sizeof(ifinfomsg));
  auto header = must(read_header<ifinfomsg>(read.message.payload));
  CHECK(header.ifi_change == (IFF_PROMISC | IFF_ALLMULTI));
  CHECK(header.ifi_flags == IFF_ALLMULTI);
  Read none(change_link(7, {.mtu = 1400}), sizeof(ifinfomsg));
  CHECK(must(read_header<ifinfomsg>(none.message.payload)).ifi_change == 0);
}

TEST_CASE("An alias is put without a NUL, so that an empty one takes it off") {
  Read read(change_link(7, {.alias = "rail"}), sizeof(ifinfomsg));
  CHECK(read.attributes.bytes(IFLA_IFALIAS)->size() == 4);
  Read empty(change_link(7, {.alias = ""}), sizeof(ifinfomsg));
  CHECK(empty.attributes.bytes(IFLA_IFALIAS)->empty());
}

TEST_CASE("XDP is taken off by the mode it was attached in, with a program that is none") {
  Read read(detach_xdp(7, XdpMode::driver), sizeof(ifinfomsg));
  CHECK(read.message.type == RTM_SETLINK);
  auto xdp = inside(read.attributes, IFLA_XDP);
  CHECK(xdp.value<int32_t>(IFLA_XDP_FD) == -1);
  CHECK(xdp.u32(IFLA_XDP_FLAGS) == XDP_FLAGS_DRV_MODE);
}

TEST_CASE("A link is removed by its index") {
  Read read(remove_link(7), sizeof(ifinfomsg));
  CHECK(read.message.type == RTM_DELLINK);
  CHECK(must(read_header<ifinfomsg>(read.message.payload)).ifi_index == 7);
}

TEST_CASE("An IPv6 address is asked to be usable at once, an IPv4 one is so anyway") {
  Read v6(add_address(7, *host::IpPrefix::parse("fd00::5/64")), sizeof(ifaddrmsg));
  CHECK(v6.attributes.u32(IFA_FLAGS) == IFA_F_OPTIMISTIC);
  Read v4(add_address(7, *host::IpPrefix::parse("10.1.2.3/24")), sizeof(ifaddrmsg));
  CHECK_FALSE(v4.attributes.bytes(IFA_FLAGS));
}

TEST_CASE("VF attributes are put in the kernel's order, with zeros for padding") {
  Read read(change_vf(3, 5,
                      {.mac = HwAddress::parse("02:00:00:00:00:01"),
                       .vlan = host::VfVlan{100, 3, 0x88a8},
                       .rate = host::VfRate{10, 20},
                       .spoofchk = true,
                       .trust = false,
                       .link_state = host::VfLinkState::enable,
                       .node_guid = Guid{0x0011223344556677}}),
            sizeof(ifinfomsg));
  CHECK(read.message.type == RTM_SETLINK);
  auto list = inside(read.attributes, IFLA_VFINFO_LIST);
  auto info = inside(list, IFLA_VF_INFO);
  std::vector<int> types;
  for (const auto& attribute : info) types.push_back(attribute.type);
  CHECK(types == std::vector<int>{IFLA_VF_MAC, IFLA_VF_VLAN_LIST, IFLA_VF_RATE, IFLA_VF_SPOOFCHK,
                                  IFLA_VF_LINK_STATE, IFLA_VF_TRUST, IFLA_VF_IB_NODE_GUID});
  auto vlan = inside(info, IFLA_VF_VLAN_LIST).bytes(IFLA_VF_VLAN_INFO).value();
  const unsigned char expected[] = {5, 0, 0, 0, 100, 0, 0, 0, 3, 0, 0, 0, 0x88, 0xa8, 0, 0};
  CHECK(std::ranges::equal(vlan, std::as_bytes(std::span(expected))));
  auto guid = info.bytes(IFLA_VF_IB_NODE_GUID).value();
  const unsigned char guid_bytes[] = {5,    0,    0,    0,    0,    0,    0,    0,
                                      0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00};
  CHECK(std::ranges::equal(guid, std::as_bytes(std::span(guid_bytes))));
}

TEST_CASE("What is built for a VF is what is decoded") {
  const host::VfAttributes attributes{.mac = HwAddress::parse("02:00:00:00:00:01"),
                                      .vlan = host::VfVlan{100, 3, 0x8100},
                                      .rate = host::VfRate{10, 20},
                                      .spoofchk = true,
                                      .trust = false,
                                      .link_state = host::VfLinkState::disable,
                                      .node_guid = Guid{1},
                                      .port_guid = Guid{2}};
  auto request = change_vf(3, 5, attributes);
  request.put(IFLA_ADDRESS, std::as_bytes(attributes.mac->bytes()));
  auto message = must(parse_messages(request.bytes())).at(0);
  CHECK(must(decode_vf(message, 5)) == attributes);
}

TEST_CASE("An error carries the kernel's errno and text; zero is the acknowledgement") {
  struct {
    nlmsgerr error{-EINVAL, {}};
    nlattr attribute{4 + 4, NLMSGERR_ATTR_MSG};
    char text[4] = "bad";
  } answer;
  Message message{NLMSG_ERROR, NLM_F_ACK_TLVS | NLM_F_CAPPED, 1, bytes_of(answer)};
  auto error = must(parse_acknowledgement(message));
  CHECK(error.os_errno == EINVAL);
  CHECK(error.text == "bad");
  for (size_t size = 0; size < sizeof(answer); ++size) {
    message.payload = bytes_of(answer).first(size);
    INFO(size);
    CHECK((!parse_acknowledgement(message) || size == sizeof(nlmsgerr)));
  }
  const int done = 0;
  CHECK(must(parse_acknowledgement({NLMSG_DONE, 0, 1, bytes_of(done)})).os_errno == 0);
}

TEST_CASE("An attribute that is too short for what is read from it is refused") {
  Request request(1, 0);
  request.put(IFLA_MTU, bytes_of(uint8_t{1}));
  auto attributes = must(Attributes::parse(must(parse_messages(request.bytes())).at(0).payload));
  CHECK_FALSE(attributes.u32(IFLA_MTU));
  CHECK(is(attributes.verify(), ErrorCode::decode));
}

TEST_CASE("Lengths that cannot be are refused") {
  nlmsghdr header{.nlmsg_len = 15};
  CHECK(is(parse_messages(bytes_of(header)), ErrorCode::decode));
  header.nlmsg_len = 17;
  CHECK(is(parse_messages(bytes_of(header)), ErrorCode::decode));
  nlattr attribute{.nla_len = 3};
  CHECK(is(Attributes::parse(bytes_of(attribute)), ErrorCode::decode));
  attribute.nla_len = 5;
  CHECK(is(Attributes::parse(bytes_of(attribute)), ErrorCode::decode));
}
