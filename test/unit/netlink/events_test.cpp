// Which kernel events concern the node's devices, by their bytes and from this machine's kernel.
#include <memory>

#include <catch2/catch_test_macros.hpp>
#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>

#include "host/files.hpp"
#include "netlink/address.hpp"
#include "netlink/event_cause.hpp"
#include "netlink/link_events.hpp"
#include "netlink/linux_events.hpp"
#include "netlink/linux_links.hpp"
#include "test/support/must.hpp"
#include "test/support/private_netns.hpp"

using namespace railhead;
using namespace railhead::netlink;
using namespace railhead::test;

namespace {

// The strings of a uevent, each with its NUL.
std::string datagram(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + '\0';
  return text;
}

Bytes bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

const std::string kUnbind =
    datagram({"unbind@/devices/pci0000:20/0000:20:00.0/0000:23:10.0", "ACTION=unbind",
              "DEVPATH=/devices/pci0000:20/0000:20:00.0/0000:23:10.0", "SUBSYSTEM=pci",
              "PCI_SLOT_NAME=0000:23:10.0", "SEQNUM=7"});

host::EventBatch noted(const std::string& subsystem, const std::string& path) {
  host::EventBatch batch;
  note(Uevent{.action = "add", .path = path, .subsystem = subsystem}, batch);
  return batch;
}

using Causes = std::vector<std::string>;
using Functions = std::set<std::string>;

// What rtnetlink said of links, in order, and what is made of it.
struct Heard {
  LinkEvents events;
  Causes causes(const Message& message) {
    host::EventBatch batch;
    events.note(message, batch);
    CHECK(batch.links == !batch.causes.empty());
    CHECK_FALSE(batch.everything);
    return batch.causes;
  }
};

// An RTM_NEWLINK as far as it is looked at.
struct LinkMessage {
  uint16_t type = RTM_NEWLINK;
  uint32_t index = 7;
  std::string name = "bond0";
  std::string kind = "bond";
  bool up = false;
  uint32_t master = 0;
  uint8_t family = AF_UNSPEC;
  bool carrier = false;

  [[nodiscard]] std::string bytes() const {
    ifinfomsg header{};
    header.ifi_family = family;
    header.ifi_type = 1;  // ARPHRD_ETHER
    header.ifi_index = static_cast<int>(index);
    header.ifi_flags = up ? IFF_UP : 0;
    Request request(type, 0, header);
    request.put_string(IFLA_IFNAME, name);
    if (master) request.put_u32(IFLA_MASTER, master);
    const uint8_t has_carrier = carrier ? 1 : 0;
    request.put(IFLA_CARRIER, bytes_of(has_carrier));
    if (!kind.empty()) {
      request.nest(IFLA_LINKINFO, [&] { request.put_string(IFLA_INFO_KIND, kind); });
    }
    return {reinterpret_cast<const char*>(request.bytes().data()), request.bytes().size()};
  }
};

Causes hear(Heard& heard, const LinkMessage& link) {
  const auto text = link.bytes();
  return heard.causes(must(parse_messages(std::as_bytes(std::span(text)))).at(0));
}

Causes hear_address(Heard& heard, uint32_t index, uint8_t scope, uint16_t type = RTM_NEWADDR) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = 24;
  header.ifa_scope = scope;
  header.ifa_index = index;
  Request request(type, 0, header);
  request.put(IFA_LOCAL, address_bytes(*host::IpPrefix::parse("10.1.2.3")));
  return heard.causes(must(parse_messages(request.bytes())).at(0));
}

Message golden(std::string& text, const std::string& name) {
  text = must(host::read_file("test/golden/netlink/" + name));
  return must(parse_messages(bytes(text))).at(0);
}

bool is_readable_now(const host::Events& events) {
  pollfd fd{events.fd(), POLLIN, 0};
  return poll(&fd, 1, 0) == 1;
}

bool readable(const host::Events& events) {
  pollfd fd{events.fd(), POLLIN, 0};
  return poll(&fd, 1, 5'000) == 1;
}

}  // namespace

TEST_CASE("A uevent is decoded, and says which function it concerns") {
  const auto uevent = must(decode_uevent(bytes(kUnbind)));
  CHECK(uevent == Uevent{"unbind", "/devices/pci0000:20/0000:20:00.0/0000:23:10.0", "pci",
                         "0000:23:10.0", ""});
  host::EventBatch batch;
  note(uevent, batch);
  CHECK(batch.causes == Causes{"pci unbind 0000:23:10.0"});
  CHECK(batch.functions == Functions{"0000:23:10.0"});
  CHECK_FALSE(batch.everything);
}

TEST_CASE("A uevent that is cut within a string, or before what it must say, is refused") {
  const auto needed = kUnbind.find("PCI_SLOT_NAME");
  for (size_t size = 0; size < kUnbind.size(); ++size) {
    auto copy = std::make_unique<std::byte[]>(size);
    std::memcpy(copy.get(), kUnbind.data(), size);
    INFO(size);
    const bool whole = size >= needed && kUnbind[size - 1] == '\0';
    CHECK(decode_uevent(Bytes(copy.get(), size)).has_value() == whole);
  }
}

TEST_CASE("What udevd sends in the kernel's form is no uevent") {
  CHECK(is(decode_uevent(bytes(datagram({"libudev", "ACTION=add", "DEVPATH=/x"}))),
           ErrorCode::decode));
}

TEST_CASE("Netdevs and RDMA devices count on hardware only, other subsystems never") {
  const std::string function = "/devices/pci0000:20/0000:20:00.0/0000:23:10.0";
  CHECK(noted("net", function + "/net/eth3").causes == Causes{"net add eth3"});
  CHECK(noted("infiniband", function + "/infiniband/mlx5_0").causes ==
        Causes{"infiniband add mlx5_0"});
  CHECK(noted("auxiliary", function + "/mlx5_core.sf.2").causes ==
        Causes{"auxiliary add mlx5_core.sf.2"});
  CHECK(noted("vdpa", "/devices/vdpasim_net/vdpa0").causes == Causes{"vdpa add vdpa0"});
  CHECK(noted("net", "/devices/virtual/net/veth1234").empty());
  CHECK(noted("infiniband", "/devices/virtual/infiniband/siw0").empty());
  CHECK(noted("queues", function + "/net/eth3/queues/rx-0").empty());
  CHECK(noted("block", "/devices/pci0000:00/0000:00:1f.2/ata1/block/sda").empty());
}

TEST_CASE("A uevent names the function it is of, and what else of the node to look at") {
  const std::string function = "/devices/pci0000:20/0000:20:00.0/0000:23:10.0";
  struct Case {
    std::string subsystem, path;
    bool links, rdma;
    Functions functions;
  };
  const std::vector<Case> cases = {
      {"pci", function, false, false, {"0000:23:10.0"}},
      {"net", function + "/net/eth3", true, false, {"0000:23:10.0"}},
      {"net", "/devices/pci0000:00/0000:00:03.0/virtio1/net/eth0", true, false, {"0000:00:03.0"}},
      {"infiniband", function + "/infiniband/mlx5_0", false, true, {"0000:23:10.0"}},
      {"infiniband_verbs", function + "/infiniband_verbs/uverbs3", false, true, {"0000:23:10.0"}},
      {"infiniband_mad", function + "/infiniband_mad/umad3", false, true, {"0000:23:10.0"}},
      {"auxiliary", function + "/mlx5_core.sf.2", false, false, {"0000:23:10.0"}},
      {"net", function + "/mlx5_core.sf.2/net/eth7", true, false, {"0000:23:10.0"}},
      {"vdpa", function + "/vdpa0", false, false, {"0000:23:10.0"}},
      {"vfio-dev", function + "/vfio-dev/vfio0", false, false, {"0000:23:10.0"}},
      {"pci", "/devices/pci10000:00/10000:00:02.0/10000:01:00.0", false, false, {"10000:01:00.0"}},
  };
  for (const auto& one : cases) {
    INFO(one.path);
    const auto batch = noted(one.subsystem, one.path);
    CHECK(batch.causes.size() == 1);
    CHECK(batch.links == one.links);
    CHECK(batch.rdma == one.rdma);
    CHECK(batch.functions == one.functions);
    CHECK_FALSE(batch.everything);
  }
  const auto simulated = noted("vdpa", "/devices/vdpasim_net/vdpa0");
  CHECK(simulated.everything);
  CHECK(simulated.functions.empty());
}

TEST_CASE("Steps of a recovery are kept beside the cause") {
  host::EventBatch batch;
  note({"change", "/devices/pci0000:20/0000:23:00.0", "pci", "0000:23:00.0", "BEGIN_RECOVERY"},
       batch);
  note({"change", "/devices/pci0000:20/0000:24:00.0", "pci", "0000:24:00.0", ""}, batch);
  note({"bind", "/devices/pci0000:20/0000:25:00.0", "pci", "0000:25:00.0", ""}, batch);
  CHECK(batch.recoveries ==
        std::vector<host::PciRecovery>{{"0000:23:00.0", "BEGIN_RECOVERY"}, {"0000:25:00.0", ""}});
  CHECK(batch.functions == Functions{"0000:23:00.0", "0000:24:00.0", "0000:25:00.0"});
}

TEST_CASE("devlink's and RDMA netlink's messages say of whom they are") {
  const auto devlink = [](const char* name, uint8_t command) {
    genlmsghdr header{};
    header.cmd = command;
    Request request(20, 0, header);
    request.put_string(DEVLINK_ATTR_DEV_NAME, name);
    host::EventBatch batch;
    note_devlink_message(must(parse_messages(request.bytes())).at(0), batch);
    return batch;
  };
  CHECK(devlink("0000:3b:00.0", DEVLINK_CMD_PORT_NEW).functions == Functions{"0000:3b:00.0"});
  CHECK_FALSE(devlink("0000:3b:00.0", DEVLINK_CMD_PORT_NEW).everything);
  CHECK(devlink("mlx5_core.sf.4", DEVLINK_CMD_NEW).everything);
  CHECK(devlink("0000:3b:00.0", DEVLINK_CMD_HEALTH_REPORTER_RECOVER).empty());

  std::string text;
  host::EventBatch batch;
  note_rdma_message(golden(text, "rdma_device"), batch);
  CHECK(batch.causes == Causes{"rdma mlx5_0"});
  CHECK(batch.rdma);
  CHECK_FALSE(batch.everything);
}

TEST_CASE("What cannot be read does not say where to look") {
  host::EventBatch batch;
  LinkEvents().note({RTM_NEWLINK, 0, 0, {}}, batch);
  CHECK(batch.causes == Causes{"a link that cannot be read"});
  CHECK(batch.everything);
}

TEST_CASE("A link of a device counts, a veth pair never does") {
  std::string text;
  Heard heard;
  CHECK(heard.causes(golden(text, "link_igb_vf")) == Causes{"link changed pf0v0 of 0000:23:10.0"});
  CHECK(heard.causes(golden(text, "link_igb_vf")) == Causes{"link changed pf0v0 of 0000:23:10.0"});
  CHECK(heard.causes(golden(text, "link_veth")).empty());
  auto gone = golden(text, "link_igb_vf");
  gone.type = RTM_DELLINK;
  CHECK(heard.causes(gone) == Causes{"link gone pf0v0 of 0000:23:10.0"});
  // A kernel that names no parent device.
  CHECK(hear(heard, {.index = 3, .name = "ens1", .kind = ""}) == Causes{"link changed ens1"});
}

TEST_CASE("A bond, bridge or VLAN counts when it comes up, goes down or away, or changes master") {
  for (const auto* kind : {"bond", "bridge", "vrf", "team", "openvswitch", "vlan", "macvlan"}) {
    INFO(kind);
    Heard heard;
    const Causes changed = {"link changed x"}, none;
    CHECK(hear(heard, {.name = "x", .kind = kind}) == none);  // made, and down
    CHECK(hear(heard, {.name = "x", .kind = kind, .up = true}) == changed);
    CHECK(hear(heard, {.name = "x", .kind = kind, .up = true}) == none);
    CHECK(hear(heard, {.name = "x", .kind = kind, .up = true, .master = 9}) == changed);
    CHECK(hear(heard, {.name = "x", .kind = kind, .up = true, .master = 8}) == changed);
    CHECK(hear(heard, {.name = "x", .kind = kind, .up = true}) == changed);
    CHECK(hear(heard, {.name = "x", .kind = kind}) == changed);
    CHECK(hear(heard, {.type = RTM_DELLINK, .name = "x", .kind = kind}) == none);
    CHECK(hear(heard, {.name = "x", .kind = kind, .up = true}) == changed);
    CHECK(hear(heard, {.type = RTM_DELLINK, .name = "x", .kind = kind, .up = true}) ==
          Causes{"link gone x"});
  }
}

TEST_CASE("A bond's carrier counts, it changes later than its port's; a bridge's does not") {
  for (const auto* kind : {"bond", "team", "bridge", "vlan"}) {
    INFO(kind);
    Heard heard;
    (void)hear(heard, {.name = "x", .kind = kind, .up = true});
    const bool counts = std::string(kind) == "bond" || std::string(kind) == "team";
    for (const bool carrier : {true, false}) {
      CHECK(hear(heard, {.name = "x", .kind = kind, .up = true, .carrier = carrier}).empty() ==
            !counts);
      CHECK(hear(heard, {.name = "x", .kind = kind, .up = true, .carrier = carrier}).empty());
    }
  }
}

TEST_CASE("What a bridge says of its port, and links that stand on nothing, are passed over") {
  Heard heard;
  CHECK(hear(heard, {.kind = "", .master = 9, .family = AF_BRIDGE}).empty());
  for (const auto* kind : {"veth", "netkit", "dummy", "vxlan", "tun", "wireguard"}) {
    CHECK(hear(heard, {.kind = kind, .up = true, .master = 9}).empty());
  }
}

TEST_CASE("An address counts when it is global and its link is no pod's") {
  Heard heard;
  (void)hear(heard, {.index = 3, .name = "cali1", .kind = "veth", .up = true});
  (void)hear(heard, {.index = 4, .name = "bond0", .kind = "bond", .up = true});
  CHECK(hear_address(heard, 3, RT_SCOPE_UNIVERSE).empty());
  CHECK(hear_address(heard, 4, RT_SCOPE_LINK).empty());
  CHECK(hear_address(heard, 4, RT_SCOPE_UNIVERSE) == Causes{"address 10.1.2.3/24 on bond0"});
  CHECK(hear_address(heard, 4, RT_SCOPE_UNIVERSE, RTM_DELADDR) ==
        Causes{"address 10.1.2.3/24 gone from bond0"});
  // Nothing was heard of it since the start: it may be a NIC.
  CHECK(hear_address(heard, 5, RT_SCOPE_UNIVERSE) == Causes{"address 10.1.2.3/24 on link 5"});
}

TEST_CASE("Of the routes only the main table's default counts, of both families") {
  std::string text;
  Heard heard;
  CHECK(heard.causes(golden(text, "route_on_link")).empty());
  CHECK(heard.causes(golden(text, "route_metrics")).empty());  // another table
  CHECK(heard.causes(golden(text, "route_reject_v6")).empty());
  CHECK(heard.causes(golden(text, "route_default_v6")) == Causes{"IPv6 default route changed"});
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_type = RTN_UNICAST;
  CHECK(heard.causes({RTM_DELROUTE, 0, 0, bytes_of(route)}) ==
        Causes{"IPv4 default route changed"});
}

TEST_CASE("A pod's start and end are no event, and wake nobody beyond its links") {
  enter_private_netns();
  const auto events = must(LinuxEvents::open());
  must_run("ip link add va type veth peer name vb && ip link set va up && ip link set vb up");
  // The kernel tells of the carriers some time later.
  must_run(
      "timeout 10 sh -c 'until [ $(ip -o link | grep -c \"state UP\") = 2 ]; do sleep 0.1; done'");
  REQUIRE(readable(*events));
  CHECK(events->read().empty());
  must_run("ip addr add 10.1.0.1/24 scope link dev va && ip route add 10.9.0.0/16 dev va");
  must_run("ip -6 addr add fe80::99/64 dev va && ip -6 route add fd01::/64 dev va");
  must_run("ip route add default dev va table 100");
  CHECK_FALSE(is_readable_now(*events));
  must_run("ip addr add 10.2.0.1/32 dev va");  // as the plugin ptp does; heard, and passed over
  CHECK(is_readable_now(*events));
  CHECK(events->read().empty());
  must_run("ip link del va");
  CHECK(events->read().empty());
}

TEST_CASE("Default routes of both families are heard, and addresses on what is no pod's") {
  enter_private_netns();
  const auto events = must(LinuxEvents::open());
  must_run("ip link add br0 type bridge && ip link set br0 up");
  CHECK(events->read().causes == Causes{"link changed br0"});
  must_run("ip route add default dev br0");
  CHECK(events->read().causes == Causes{"IPv4 default route changed"});
  must_run("ip -6 route add default dev br0 metric 50");
  auto batch = events->read();
  CHECK(batch.causes == Causes{"IPv6 default route changed"});
  CHECK(batch.links);
  CHECK_FALSE(batch.everything);
  must_run("ip route del default && ip -6 route del default");
  CHECK(events->read().causes ==
        Causes{"IPv4 default route changed", "IPv6 default route changed"});
  must_run("ip addr add 10.1.0.1/24 dev br0 && ip -6 addr add fd00::1/64 dev br0 nodad");
  // The kernel puts an IPv6 address in force by a worker.
  auto addresses = events->read();
  while (addresses.causes.size() < 2 && readable(*events)) addresses.add(events->read());
  CHECK(addresses.causes == Causes{"address 10.1.0.1/24 on br0", "address fd00::1/64 on br0"});
  must_run("ip link del br0");
  CHECK(events->read().links);
}

TEST_CASE("Events that the kernel had to drop are told as lost, and later ones are heard again") {
  enter_private_netns();
  const auto events = must(LinuxEvents::open());
  must_run("ip link add va type veth peer name vb");
  const auto links = must(LinuxLinks::open());
  const auto link = must(links->by_name("va"));
  for (unsigned i = 0; i < 5'000; ++i) {
    must(links->change(link.index, {.mtu = 1400 + i % 2}));
  }
  const auto batch = events->read();
  CHECK(batch.lost);
  CHECK(batch.everything);
  CHECK(events->read().empty());
  must_run("ip link set va up && ip route add default dev va");
  REQUIRE(readable(*events));
  CHECK(events->read().causes == Causes{"IPv4 default route changed"});
  must_run("ip link del va");
}

TEST_CASE("Batches are put together, cause by cause and hint by hint") {
  host::EventBatch all{.causes = {"a"}, .links = true, .functions = {"0000:3b:00.0"}};
  all.add(
      {.causes = {"b"}, .recoveries = {{"x", ""}}, .rdma = true, .functions = {"0000:3b:00.1"}});
  CHECK(all.causes == Causes{"a", "b"});
  CHECK(all.links);
  CHECK(all.rdma);
  CHECK(all.functions == Functions{"0000:3b:00.0", "0000:3b:00.1"});
  CHECK(all.recoveries.size() == 1);
  CHECK_FALSE(all.lost);
  CHECK_FALSE(all.everything);
  all.add({.lost = true, .everything = true});
  CHECK(all.lost);
  CHECK(all.everything);
}
