// What is nobody's is given back on evidence, and nothing else is.
#include "attach/reconcile.hpp"

#include <cerrno>
#include <filesystem>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/unit/attach/node.hpp"

using namespace railhead;
using namespace railhead::attach;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

namespace {

// What `work` gives with the verbs' bounds.
template <class Then>
auto with_work(Node& node, Then then) {
  const auto store = node.store();
  must(store.prepare());
  const auto deadline = node.deadline();
  return must(then(Work{node.fake.host, store, deadline, node.log}));
}
Reconciled reconcile(Node& node, Doing doing = Doing::it) {
  Pauses none(node.fake.clock);
  return with_work(node, [&](const Work& work) { return attach::reconcile(work, doing, none); });
}
Standing::State state(Node& node) {
  const auto overview = with_work(node, look_around);
  REQUIRE(overview.records.size() == 1);
  return overview.records[0].state;
}
void attach_and_let_go(Node& node, const AttachRequest& request) {
  must(node.attach(request));
  std::ignore = node.check(request.key);  // gives the locks back
}

}  // namespace

TEST_CASE("A lost DEL costs nothing: the device is back in the host, reconcile gives it back") {
  Node node;
  const auto before = node.standing();
  attach_and_let_go(node, node.request());
  CHECK(state(node) == Standing::State::held);
  CHECK(reconcile(node) == Reconciled{});
  CHECK(node.fake.link("pod0", "net1"));

  node.fake.delete_netns("pod0");
  CHECK(state(node) == Standing::State::gone);
  const auto would = reconcile(node, Doing::dry_run);
  REQUIRE(would.done.size() == 1);
  CHECK_THAT(would.done[0], StartsWith("0000:11:00.0: would be given back, was net1 of"));
  CHECK(node.records() == 2);

  const auto done = reconcile(node);
  REQUIRE(done.done.size() == 1);
  CHECK_THAT(done.done[0], StartsWith("0000:11:00.0: given back, was net1 of container c0"));
  CHECK(done.left.empty());
  CHECK(node.standing() == before);
  CHECK(reconcile(node) == Reconciled{});
}

TEST_CASE("A namespace that cannot be seen is not gone: reconcile leaves its device alone") {
  Node node;
  attach_and_let_go(node, node.request());
  node.fake.unlink_netns("pod0");
  CHECK(reconcile(node) == Reconciled{});
  CHECK(node.fake.link("pod0", "net1"));
  CHECK(node.records() == 2);
}

TEST_CASE("A device of a userspace driver never leaves the host, which is no evidence") {
  Node node;
  const std::string function = node.fake.host.roots.sysfs + "/bus/pci/devices/0000:11:00.0/";
  std::filesystem::remove_all(function + "net");
  std::filesystem::remove(function + "driver");
  std::filesystem::create_symlink("../../../../bus/pci/drivers/vfio-pci", function + "driver");
  for (const char* folder : {"infiniband", "infiniband_verbs", "infiniband_mad"}) {
    std::filesystem::remove_all(function + folder);
  }
  auto request = node.request();
  request.settings.mtu.reset();
  attach_and_let_go(node, request);
  CHECK(reconcile(node) == Reconciled{});
  CHECK(node.records() == 2);
}

TEST_CASE("A device that somebody is at work on is left alone") {
  Node node;
  attach_and_let_go(node, node.request());
  node.fake.delete_netns("pod0");
  const auto lock = must(node.fake.host.locks.lock(node.store().device_lock(node.request().device),
                                                   std::chrono::seconds(1)));
  CHECK(state(node) == Standing::State::in_work);
  CHECK(reconcile(node) == Reconciled{});
  CHECK(node.records() == 2);
}

TEST_CASE("A quarantine is mended once it can be") {
  Node node({.vfs = 2, .driver = FakeDriver::igb()});
  const auto before = node.standing();
  auto request = node.request();
  request.settings = {};
  request.settings.vf.rate = host::VfRate{0, 100};
  must(node.attach(request));
  node.fake.link("host", "p0")->carrier = false;
  REQUIRE(node.detach_all(request.key).quarantined);
  CHECK(state(node) == Standing::State::quarantined);
  const auto left = reconcile(node);
  REQUIRE(left.left.size() == 1);
  CHECK_THAT(left.left[0], ContainsSubstring("tx rate"));
  node.fake.link("host", "p0")->carrier = true;
  CHECK(reconcile(node).done.size() == 1);
  CHECK(node.standing() == before);
}

TEST_CASE("A record of another boot is forgotten, and nothing is changed by it") {
  Node node;
  must(host::make_directories(node.fake.host.roots.proc + "/sys/kernel/random", 0700));
  must(host::write_file_atomically(node.fake.host.roots.proc + "/sys/kernel/random/boot_id",
                                   "this-boot\n", 0600));
  attach_and_let_go(node, node.request());
  auto record = *must(node.store().load(node.request().key));
  CHECK(record.boot_id == "this-boot");
  record.boot_id = "another";
  must(node.store().update(record));
  node.fake.operations.clear();
  CHECK(state(node) == Standing::State::stale);
  CHECK(reconcile(node).done.size() == 1);
  CHECK(node.records() == 0);
  CHECK(node.fake.operations.empty());
}

TEST_CASE("Debts of a free device are paid by reconcile") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  const auto index = node.fake.link("host", "p0v1")->index;
  must(node.fake.host.links.change(index, {.name = "p0v0"}));
  must(node.detach(node.request().key));
  CHECK(with_work(node, look_around).debts.size() == 1);
  CHECK(reconcile(node).left.size() == 1);
  must(node.fake.host.links.change(index, {.name = "p0v1"}));
  CHECK(reconcile(node) == Reconciled{{"0000:11:00.0: is as it was again"}, {}});
  CHECK(with_work(node, look_around).debts.empty());
  CHECK(node.standing() == before);
}

TEST_CASE("release gives back by hand, a living pod's device only where that is said") {
  Node node;
  const auto before = node.standing();
  attach_and_let_go(node, node.request());
  const auto device = node.request().device;
  const auto refused =
      with_work(node, [&](const Work& work) { return release(work, device, Even::not_if_held); });
  REQUIRE(refused.left.size() == 1);
  CHECK_THAT(refused.left[0], StartsWith("0000:11:00.0: held by net1 of container c0"));
  const auto all = with_work(node, release_all);
  CHECK(all.left.size() == 1);
  CHECK(node.fake.link("pod0", "net1"));
  const auto forced =
      with_work(node, [&](const Work& work) { return release(work, device, Even::if_held); });
  CHECK(forced.done.size() == 1);
  CHECK(node.standing() == before);
}

TEST_CASE("release --all gives back what no pod holds, and lists what one does") {
  Node node;
  auto other = node.request("c1");
  other.device = *PciAddress::parse("0000:11:00.1");
  other.netns_path = node.fake.add_netns("pod1");
  attach_and_let_go(node, node.request());
  attach_and_let_go(node, other);
  node.fake.delete_netns("pod0");
  const auto all = with_work(node, release_all);
  REQUIRE(all.done.size() == 1);
  CHECK_THAT(all.done[0], StartsWith("0000:11:00.0"));
  REQUIRE(all.left.size() == 1);
  CHECK_THAT(all.left[0], StartsWith("0000:11:00.1: held by"));
}

TEST_CASE("reconcile goes on over a record that cannot be read, and tells it") {
  Node node;
  attach_and_let_go(node, node.request());
  node.fake.delete_netns("pod0");
  must(host::write_file_atomically(node.store().folder() + "/c7@net1@x.json", "{", 0600));
  const auto done = reconcile(node);
  CHECK(done.done.size() == 1);
  REQUIRE(done.left.size() == 1);
  CHECK_THAT(done.left[0], ContainsSubstring("c7@net1@x.json"));
}

TEST_CASE("A device whose nodes a process has open is held, wherever its netdev stands") {
  Node node;
  node.fake.kernel.rdma_mode = host::RdmaNetnsMode::shared;
  const auto before = node.standing();
  attach_and_let_go(node, node.request());
  const auto nodes = must(node.store().load(node.request().key))->rdma->before[0].nodes;
  node.fake.delete_netns("pod0");
  const auto process = node.fake.host.roots.proc + "/4711";
  must(host::make_directories(process + "/fd", 0700));
  must(host::write_file_atomically(process + "/comm", "python\n", 0600));
  std::filesystem::create_symlink(nodes.front().path(), process + "/fd/7");

  CHECK(state(node) == Standing::State::held);
  CHECK(reconcile(node) == Reconciled{});
  node.pod = node.fake.add_netns("pod1");
  const auto refused = node.attach(node.request("c1"));
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK_THAT(refused.error().message,
             ContainsSubstring("pid 4711 (python) has /dev/infiniband/uverbs1 open"));

  std::filesystem::remove_all(process);
  CHECK(reconcile(node).done.size() == 1);
  node.fake.delete_netns("pod1");
  CHECK(node.standing() == before);
}

TEST_CASE("A device that exists no longer is forgotten, also out of quarantine") {
  Node node;
  attach_and_let_go(node, node.request());
  if (GENERATE(false, true)) {
    auto record = *must(node.store().load(node.request().key));
    record.undo = Undo{std::chrono::milliseconds(1), "it was stuck", true};
    must(node.store().update(record));
  }
  node.fake.delete_netns("pod0");
  node.fake.kernel.remove_vf(*PciAddress::parse("0000:11:00.0"));
  CHECK(reconcile(node).done.size() == 1);
  CHECK(node.records() == 0);
}
