// What an undo insists on, what it lets go, and what it does when it can neither.
#include <cerrno>
#include <filesystem>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "attach/debt.hpp"
#include "test/unit/attach/node.hpp"

using namespace railhead;
using namespace railhead::attach;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;

namespace {

std::unique_ptr<host::Links> links_of(Node& node, const std::string& path) {
  return must(node.fake.host.netns.links(must(node.fake.host.netns.open(path))));
}

// Whether DEL kept the record as a quarantine, and why.
std::string quarantine(Node& node) {
  const auto record = must(node.store().load(node.request().key));
  return record && record->undo && record->undo->quarantined ? record->undo->reason : "";
}

// The next pod gets the device and gives it back as it was before all.
void check_mended(Node& node, const std::string& before) {
  node.pod = node.fake.add_netns("pod9");
  must(node.attach(node.request("c9")));
  must(node.detach(node.request("c9").key));
  node.fake.delete_netns("pod9");
  CHECK(node.standing() == before);
}

}  // namespace

TEST_CASE("A namespace whose path is gone while a process keeps it: DEL finds it by that process") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  node.fake.unlink_netns("pod0");
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
}

TEST_CASE("A namespace that nobody can find: DEL is tried again for a minute, then let go") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  node.fake.delete_netns_later("pod0", 1'000'000);
  const auto first = node.detach_all(node.request().key);
  REQUIRE(first.error);
  CHECK(first.error->code == ErrorCode::timeout);
  CHECK_FALSE(first.is_silent);  // its address must not be given to another
  CHECK(quarantine(node).empty());

  node.pod = node.fake.add_netns("pod1");
  const auto other = node.attach(node.request("c1"));
  REQUIRE(is(other, ErrorCode::busy));
  CHECK_THAT(other.error().message, ContainsSubstring("of container c0"));

  node.fake.clock.advance(std::chrono::seconds(61));
  const auto last = node.detach_all(node.request().key);
  CHECK_FALSE(last.error);
  CHECK(last.quarantined);
  CHECK_FALSE(last.is_silent);
  CHECK_FALSE(quarantine(node).empty());
  REQUIRE(is(node.attach(node.request("c1")), ErrorCode::busy));
}

TEST_CASE("A namespace that takes its time to die is waited for") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  node.fake.delete_netns_later("pod0", 1'000'000, std::chrono::seconds(3));
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
}

TEST_CASE("A device whose netdev is gone while its driver is bound goes into quarantine") {
  Node node;
  must(node.attach(node.request()));
  auto& links = node.fake.kernel.links;
  std::erase_if(links, [](const auto& link) { return link->link.name == "net1"; });
  CHECK(node.detach_all(node.request().key).error);
  node.fake.clock.advance(std::chrono::seconds(61));
  CHECK(node.detach_all(node.request().key).quarantined);
  CHECK_FALSE(quarantine(node).empty());
}

TEST_CASE("An MTU and an up that are refused now are owed, and the device is free") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  // After those of the move and of the address; both tries.
  for (int i = 0; i < 4; ++i) {
    node.fake.fail_next("change", EINVAL, FakeHost::Effect::none, 2);
  }
  must(node.detach(node.request().key));
  CHECK_FALSE(node.fake.fails_yet());
  CHECK(node.records() == 0);
  CHECK(read_debts(node.store(), node.request().device).debts ==
        std::vector<Debt>{{"mtu", "1500", "9000"}, {"up", "up", "down"}});
  check_mended(node, before);
}

TEST_CASE("A rate that cannot be given back for now (igb without a cable) is a quarantine") {
  Node node({.vfs = 2, .driver = FakeDriver::igb()});
  const auto before = node.standing();
  auto request = node.request();
  request.settings = {};
  request.settings.vf.rate = host::VfRate{0, 100};
  must(node.attach(request));
  node.fake.link("host", "p0")->carrier = false;
  const auto detached = node.detach_all(request.key);
  CHECK_FALSE(detached.error);
  REQUIRE(detached.quarantined);
  CHECK_THAT(*detached.quarantined, ContainsSubstring("tx rate is min 0 max 100"));
  CHECK(node.fake.link("host", "p0v0"));  // all else is done
  CHECK(node.records() == 2);
  node.pod = node.fake.add_netns("pod1");
  const auto refused = node.attach(node.request("c1"));
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK_THAT(refused.error().message, ContainsSubstring("before it is mended"));

  node.fake.link("host", "p0")->carrier = true;
  request = node.request("c1");
  request.settings = {};
  must(node.attach(request));
  must(node.detach(request.key));
  CHECK(node.standing() == before);
}

TEST_CASE("A trusted VF that was up with another admin MAC comes back so") {
  Node node({.vfs = 2, .driver = FakeDriver::igb()});
  auto pf = must(node.fake.host.links.by_name("p0"));
  must(node.fake.host.links.change_vf(pf.index, 0, {.trust = true}));
  node.set_admin_mac("02:00:00:00:00:bb");
  const auto before = node.standing();
  auto request = node.request();
  request.settings = {};
  must(node.attach(request));
  must(node.detach(request.key));
  CHECK(node.standing() == before);
}

TEST_CASE("RDMA devices whose names a driver reload has permuted get their own by their GUIDs") {
  Node node;
  node.fake.kernel.add_rdma(*PciAddress::parse("0000:11:00.0"), "mlx5_7", "roce");
  const auto before = node.standing();
  must(node.attach(node.request()));
  const auto rdma = must(node.fake.host.netns.rdma(must(node.fake.host.netns.open(node.pod))));
  must(rdma->rename("mlx5_1", "x"));
  must(rdma->rename("mlx5_7", "mlx5_1"));
  must(rdma->rename("x", "mlx5_7"));
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
}

TEST_CASE("An RDMA device that its pod renamed while its name was taken: the name is owed") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  const auto pod = must(node.fake.host.netns.rdma(must(node.fake.host.netns.open(node.pod))));
  must(pod->rename("mlx5_1", "mine"));
  must(node.fake.host.rdma.rename("mlx5_2", "mlx5_1"));
  must(node.detach(node.request().key));
  CHECK(node.records() == 0);
  CHECK(node.fake.netns_of_rdma("mine") == "host");
  must(node.fake.host.rdma.rename("mlx5_1", "mlx5_2"));
  check_mended(node, before);
}

TEST_CASE("What a pod made on its device does not reach the next one") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  must(node.activate({}));
  node.fake.add_stacked("pod0", "net1", "vlan", "net1.7");
  node.fake.add_stacked("pod0", "net1.7", "macvlan", "mv0");
  node.fake.attach_program("pod0", "net1", {FakeProgram::Hook::xdp_generic, 1, true});
  node.fake.attach_program("pod0", "net1", {FakeProgram::Hook::tcx_ingress, 2, false});
  const auto links = links_of(node, node.pod);
  const auto index = must(links->by_name("net1")).index;
  host::LinkChange change;
  change.promisc = true;
  change.allmulti = true;
  change.alias = "mine";
  must(links->change(index, change));
  SECTION("the pod's namespace is there") {
    must(node.detach(node.request().key));
    CHECK_FALSE(node.fake.link("pod0", "net1.7"));
    CHECK_FALSE(node.fake.link("pod0", "mv0"));
  }
  SECTION("its namespace is gone") {
    node.fake.delete_netns("pod0");
    must(node.detach(node.request().key));
  }
  CHECK(node.fake.programs("host", "p0v0").empty());
  CHECK(node.fake.link("host", "p0v0")->alias.empty());
  CHECK_FALSE(node.fake.link("host", "p0v0")->is_promisc());
  CHECK_FALSE(node.fake.link("host", "p0v0")->is_allmulti());
  CHECK(node.standing() == before);
}

TEST_CASE("A link on it that cannot be removed keeps the device in its pod") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  node.fake.add_stacked("pod0", "net1", "vlan", "net1.7");
  node.fake.fail_next("remove", EBUSY);
  const auto detached = node.detach_all(node.request().key);
  REQUIRE(detached.error);
  CHECK(detached.is_silent);
  CHECK(node.fake.link("pod0", "net1"));
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
}

TEST_CASE("VFs that were made anew have nothing to be given back") {
  Node node;
  must(node.attach(node.request()));
  node.fake.delete_netns("pod0");
  auto record = *must(node.store().load(node.request().key));
  REQUIRE(record.driver.inode != 0);
  record.driver.inode += 1;
  must(node.store().update(record));
  const auto now = node.fake.vf(*node.request().device.pci());
  must(node.detach(node.request().key));
  CHECK(node.fake.vf(*node.request().device.pci()) == now);
  CHECK(node.records() == 0);
}

TEST_CASE("What an operator sets on a free VF right before an ADD the pod gets, and gives back") {
  Node node;
  auto request = node.request();
  request.settings = {};
  must(node.attach(request));
  must(node.detach(request.key));
  host::LinkChange change;
  change.mtu = 4200;
  must(node.fake.host.links.change(must(node.fake.host.links.by_name("p0v0")).index, change));
  const auto before = node.standing();
  const auto attached = must(node.attach(request));
  CHECK(attached.mtu == 4200);
  must(node.detach(request.key));
  CHECK(node.standing() == before);
}

TEST_CASE("A record that cannot be read keeps no pod, and its device from everybody") {
  Node node;
  must(node.attach(node.request()));
  const auto path = node.store().folder() + "/" + record_name(node.request().key);
  must(host::write_file(path, "{"));
  const auto detached = node.detach_all(node.request().key);
  CHECK_FALSE(detached.error);
  CHECK(detached.quarantined);
  node.pod = node.fake.add_netns("pod1");
  CHECK(is(node.attach(node.request("c1")), ErrorCode::busy));
  auto other = node.request("c2");
  other.device = *PciAddress::parse("0000:11:00.1");
  CHECK(node.attach(other));
  CHECK(node.collect_garbage("rail0", {}));
}

TEST_CASE("An ADD that was killed is told by CHECK") {
  Node node;
  must(node.attach(node.request()));
  must(node.activate({}));
  auto record = *must(node.store().load(node.request().key));
  record.phase = Phase::adding;
  must(node.store().update(record));
  const auto checked = node.check(node.request().key);
  REQUIRE_FALSE(checked);
  CHECK_THAT(checked.error().message, ContainsSubstring("did not come to its end"));
}
