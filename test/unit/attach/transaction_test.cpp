// Several devices in one act: all of them or none.
#include <cerrno>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/unit/attach/node.hpp"

using namespace railhead;
using namespace railhead::attach;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;

namespace {

// Both VFs for one pod, the second first.
std::vector<AttachRequest> two(const Node& node, const std::string& container = "c0") {
  auto first = node.request(container);
  first.group = AttachmentKey{"rails", container, "rail"};
  auto second = first;
  second.device = *PciAddress::parse("0000:11:00.1");
  second.key.ifname = "net2";
  second.settings.vf.mac = HwAddress::parse("02:00:00:00:00:ab");
  return {second, first};
}

}  // namespace

TEST_CASE("Two devices are attached in one act, and one DEL of who asked gives both back") {
  Node node;
  const auto before = node.standing();
  const auto attached = must(node.attach_all(two(node)));
  REQUIRE(attached.size() == 2);
  CHECK(attached[0].ifname == "net2");
  CHECK(attached[1].ifname == "net1");
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "pod0");
  CHECK(node.fake.netns_of_rdma("mlx5_2") == "pod0");
  must(node.activate({}, 0));
  must(node.activate({}, 1));
  must(node.check({"rail0", "c0", "net1"}));
  must(node.check({"rail0", "c0", "net2"}));
  must(node.detach({"rails", "c0", "rail"}));
  CHECK(node.standing() == before);
}

TEST_CASE("Phase by phase: both netdevs leave before any RDMA device does") {
  Node node;
  must(node.attach_all(two(node)));
  std::vector<std::string> moves;
  for (const auto& operation : node.fake.operations) {
    if (operation.find("netns=pod0") != std::string::npos) {
      moves.push_back(operation.substr(0, operation.find(':', 6)));
    }
  }
  CHECK(moves == std::vector<std::string>{"host: change p0v1", "host: change p0v0",
                                          "host: move mlx5_2", "host: move mlx5_1"});
}

TEST_CASE("The PF of two VFs is asked for them once before all changes, and once after") {
  Node node;
  node.fake.calls.clear();
  must(node.attach_all(two(node)));
  CHECK(node.fake.calls["vfs"] == 2);
  CHECK(node.fake.calls["vf"] == 0);
}

TEST_CASE("Whatever step of the second device fails, both stand as before") {
  const auto effect = GENERATE(FakeHost::Effect::none, FakeHost::Effect::done);
  for (const char* function : {"change", "change_vf", "remove_alt_name", "move", "list", "by_name",
                               "vfs", "open", "netns_mode"}) {
    unsigned failures = 0;
    for (unsigned skip = 0;; ++skip) {
      Node node;
      const auto before = node.standing();
      node.fake.fail_next(function, EIO, effect, skip);
      auto attached = node.attach_all(two(node));
      if (node.fake.fails_yet()) break;  // there are no more such calls
      if (attached) continue;            // it could do without
      ++failures;
      INFO(function << " failed after " << skip << ": " << attached.error().message);
      CHECK(node.standing() == before);
    }
    INFO(function);
    CHECK(failures > 0);
  }
}

TEST_CASE("An undo of several goes on after a failure") {
  Node node;
  must(node.attach_all(two(node)));
  node.fake.fail_next("remove_alt_name", EIO);
  node.fake.fail_next("move", EBUSY);
  const auto detached = node.detach_all({"rails", "c0", "rail"});
  CHECK(detached.error);
  CHECK(node.records() == 2);  // the other is done
  must(node.detach({"rails", "c0", "rail"}));
  CHECK(node.records() == 0);
}

TEST_CASE("Names are compared with the pod's and with each other before any change") {
  Node node;
  auto requests = two(node);
  requests[1].key.ifname = "net2";
  requests[1].key.network = "rail1";
  const auto twice = node.attach_all(requests);
  REQUIRE(is(twice, ErrorCode::already_exists));
  CHECK(twice.error().message == "the name net2 is already taken by 0000:11:00.1");
  requests = two(node);
  requests[0].key.ifname = "rail0";  // an alternative name of the other
  const auto alternative = node.attach_all(requests);
  REQUIRE(is(alternative, ErrorCode::already_exists));
  CHECK_THAT(alternative.error().message, ContainsSubstring("an alternative name of p0v0"));
  CHECK(node.fake.operations.empty());
  CHECK(node.records() == 0);
}

TEST_CASE("A device that is asked for twice is refused") {
  Node node;
  auto requests = two(node);
  requests[1].device = requests[0].device;
  const auto twice = node.attach_all(requests);
  REQUIRE(is(twice, ErrorCode::busy));
  CHECK_THAT(twice.error().message, ContainsSubstring("asked for twice"));
  CHECK(node.fake.operations.empty());
}

TEST_CASE("One that is held keeps all away, and nothing is changed") {
  Node node;
  must(node.attach(node.request("c7")));
  node.fake.operations.clear();
  const auto refused = node.attach_all(two(node));
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK(refused.error().reason == reason::kHeld);
  CHECK(node.fake.operations.empty());
  CHECK(node.records() == 2);
}

TEST_CASE("The RDMA device of a VF that this attachment has already is added to it, once") {
  Node node;
  const auto before = node.standing();
  auto vf = node.request();
  vf.rdma = RdmaUse::off;
  must(node.attach(vf));
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "host");
  AttachRequest rdma{vf.key, vf.netns_path, vf.device};
  rdma.kind = KindName::rdma_only;
  const auto attached = must(node.attach(rdma));
  CHECK(attached.rdma == std::vector<std::string>{"mlx5_1"});
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "pod0");
  const auto operations = node.fake.operations;
  must(node.attach(rdma));
  CHECK(node.fake.operations == operations);

  SECTION("the chain's DEL, from its end") {
    node.fake.operations.clear();
    const auto limit = node.deadline();
    Attachments attachments(node.fake.host, limit, node.log);
    std::ignore = node.check(vf.key);  // gives the lock back
    CHECK_FALSE(attachments.detach_rdma(vf.key, "").error);
    CHECK(node.fake.netns_of_rdma("mlx5_1") == "host");
    CHECK(node.fake.link("pod0", "net1"));
    must(node.detach(vf.key));
  }
  SECTION("one DEL of all") { must(node.detach(vf.key)); }
  CHECK(node.standing() == before);
}

TEST_CASE("An RDMA device that cannot be added leaves the attachment as it was") {
  Node node;
  auto vf = node.request();
  vf.rdma = RdmaUse::off;
  must(node.attach(vf));
  const auto before = node.standing();
  AttachRequest rdma{vf.key, vf.netns_path, vf.device};
  rdma.kind = KindName::rdma_only;
  node.fake.fail_next("move", EBUSY);
  REQUIRE_FALSE(node.attach(rdma));
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "host");
  CHECK(node.fake.link("pod0", "net1"));
  CHECK(node.standing() == before);
  CHECK_FALSE(must(node.store().load(vf.key))->moves_rdma());
}

TEST_CASE("A netdev without a bus is moved, named and given back") {
  Node node;
  auto& eth = node.fake.kernel.add_link(node.fake.kernel.host_netns,
                                        {.name = "eth7",
                                         .flags = 1,
                                         .mtu = 1500,
                                         .address = *HwAddress::parse("02:00:00:00:00:77"),
                                         .kind = "veth"});
  eth.addresses = {*host::IpPrefix::parse("10.7.0.1/24")};
  const auto before = node.standing();
  AttachRequest request{{"lan", "c0", "net1"}, node.pod, {device::DeviceId::Kind::net, "eth7"}};
  request.kind = KindName::whole_nic;
  const auto attached = must(node.attach(request));
  CHECK(attached.mac == HwAddress::parse("02:00:00:00:00:77"));
  CHECK(node.fake.link("pod0", "net1"));
  must(node.activate({}));
  must(node.check(request.key));
  must(node.detach(request.key));
  CHECK(node.standing() == before);
}

TEST_CASE("A device that vanishes while it moves fails the ADD, and the other comes back") {
  Node node;
  node.fake.kernel.vanishes_when_moved = *PciAddress::parse("0000:11:00.0");
  const auto attached = node.attach_all(two(node));
  REQUIRE_FALSE(attached);
  CHECK_THAT(attached.error().message, ContainsSubstring("ENODEV"));
  CHECK(node.records() == 0);
  CHECK(node.fake.link("host", "p0v1"));
  CHECK(node.fake.netns_of_rdma("mlx5_2") == "host");
  const auto gone = node.attach(node.request("c1"));
  REQUIRE(is(gone, ErrorCode::invalid_argument));
  CHECK_THAT(gone.error().message, ContainsSubstring("were the VFs made anew? Delete the pod"));
}
