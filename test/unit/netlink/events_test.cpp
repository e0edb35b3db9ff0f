// Which kernel events concern the node's devices, by their bytes and from this machine's kernel.
#include <memory>

#include <catch2/catch_test_macros.hpp>
#include <linux/rtnetlink.h>
#include <poll.h>

#include "host/files.hpp"
#include "netlink/event_cause.hpp"
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

std::string cause(const std::string& subsystem, const std::string& path) {
  return cause_of(Uevent{.action = "add", .path = path, .subsystem = subsystem});
}

Message golden(std::string& text, const std::string& name) {
  text = must(host::read_file("test/golden/netlink/" + name));
  return must(parse_messages(bytes(text))).at(0);
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
  CHECK(cause_of(uevent) == "pci unbind 0000:23:10.0");
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
  CHECK(cause("net", function + "/net/eth3") == "net add eth3");
  CHECK(cause("infiniband", function + "/infiniband/mlx5_0") == "infiniband add mlx5_0");
  CHECK(cause("auxiliary", function + "/mlx5_core.sf.2") == "auxiliary add mlx5_core.sf.2");
  CHECK(cause("vdpa", "/devices/vdpasim_net/vdpa0") == "vdpa add vdpa0");
  CHECK(cause("net", "/devices/virtual/net/veth1234").empty());
  CHECK(cause("infiniband", "/devices/virtual/infiniband/siw0").empty());
  CHECK(cause("queues", function + "/net/eth3/queues/rx-0").empty());
  CHECK(cause("block", "/devices/pci0000:00/0000:00:1f.2/ata1/block/sda").empty());
}

TEST_CASE("A link counts when a device is its parent, a veth pair never does") {
  std::string text;
  CHECK(cause_of_route_message(golden(text, "link_igb_vf")) ==
        "link changed pf0v0 of 0000:23:10.0");
  CHECK(cause_of_route_message(golden(text, "link_veth")).empty());
  auto gone = golden(text, "link_igb_vf");
  gone.type = RTM_DELLINK;
  CHECK(cause_of_route_message(gone) == "link gone pf0v0 of 0000:23:10.0");
}

TEST_CASE("Of the routes only the main table's default counts") {
  std::string text;
  CHECK(cause_of_route_message(golden(text, "route_on_link")).empty());
  CHECK(cause_of_route_message(golden(text, "route_metrics")).empty());  // another table
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_table = RT_TABLE_MAIN;
  CHECK(cause_of_route_message({RTM_DELROUTE, 0, 0, bytes_of(route)}) == "default route changed");
}

TEST_CASE("Events of pods' links pass unnoticed, the default route does not") {
  enter_private_netns();
  const auto events = must(LinuxEvents::open());
  must_run("ip link add va type veth peer name vb");
  REQUIRE(readable(*events));
  CHECK(events->read().empty());
  must_run("ip link set va up && ip addr add 10.1.0.1/24 dev va && ip link set vb up");
  must_run("ip route add default dev va");
  REQUIRE(readable(*events));
  CHECK(events->read().causes == std::vector<std::string>{"default route changed"});
  must_run("ip route del default");
  REQUIRE(readable(*events));
  CHECK(events->read().causes == std::vector<std::string>{"default route changed"});
  must_run("ip link del va");
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
  CHECK(events->read().lost);
  CHECK(events->read().empty());
  must_run("ip link set va up && ip route add default dev va");
  REQUIRE(readable(*events));
  CHECK(events->read().causes == std::vector<std::string>{"default route changed"});
  must_run("ip link del va");
}
