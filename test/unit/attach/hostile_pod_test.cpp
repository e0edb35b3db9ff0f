// What a pod does to its device with all the rights it has in its namespace, and what becomes of
// its namespace: the device comes back as it was.
#include <filesystem>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "attach/debt.hpp"
#include "attach/reconcile.hpp"
#include "test/unit/attach/node.hpp"

using namespace railhead;
using namespace railhead::attach;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;

namespace {

const PciAddress kDevice = *PciAddress::parse("0000:11:00.0");

struct Hosting : Node {
  explicit Hosting(KindName of) : kind(of) {
    auto* vf = fake.link("host", "p0v0");
    // A move resets them.
    must(host::write_file(fake.host.roots.proc + "/sys/net/ipv4/conf/p0v0/rp_filter", "2"));
    must(host::write_file(fake.host.roots.proc + "/sys/net/ipv6/conf/p0v0/accept_ra", "0"));
    if (kind != KindName::whole_nic) return;
    must(fake.host.links.change(vf->index, {.alias = "uplink of rack 7"}));
    must(fake.host.links.add_address(vf->index, *host::IpPrefix::parse("192.0.2.7/24")));
    must(fake.host.links.add_address(vf->index, *host::IpPrefix::parse("2001:db8::7/64")));
    host::Route route{*host::IpPrefix::parse("198.51.100.0/24"), host::IpPrefix::parse("192.0.2.1"),
                      vf->index};
    route.metric = 7;
    route.source = host::IpPrefix::parse("192.0.2.7");
    route.protocol = 4;  // RTPROT_STATIC
    must(fake.host.links.add_route(route));
    fake.operations.clear();
  }
  [[nodiscard]] AttachRequest asked(const std::string& container = "c0") const {
    auto asked = request(container);
    asked.kind = kind;
    if (kind == KindName::whole_nic) asked.settings = {};
    return asked;
  }
  std::unique_ptr<host::Links> links_of(const std::string& path) {
    return must(fake.host.netns.links(must(fake.host.netns.open(path))));
  }
  void be_hostile() {
    auto* link = fake.link("pod0", "net1");
    REQUIRE(link);
    const auto index = link->index;
    auto links = links_of(pod);
    fake.add_stacked("pod0", "net1", "vlan", "net1.7");
    fake.add_stacked("pod0", "net1.7", "macvlan", "mac0");
    fake.attach_program("pod0", "net1", {FakeProgram::Hook::xdp_driver, 5, true});
    fake.attach_program("pod0", "net1", {FakeProgram::Hook::tcx_egress, 6, false});
    must(links->change(index, {.up = false}));
    // Where the admin MAC is in force the kernel refuses it.
    std::ignore = links->change(index, {.address = HwAddress::parse("02:00:00:00:00:66")});
    must(links->change(index, {.mtu = 1280, .promisc = true, .allmulti = true, .alias = "eth0"}));
    must(links->change(index, {.modes = 0x80 | 0x8000}));  // NOARP, DYNAMIC, no MULTICAST
    const auto broadcast = HwAddress::parse("02:00:00:00:00:99");
    must(links->change(index, {.broadcast = broadcast, .link_mode = 1}));
    must(links->add_alt_name(index, "p0"));  // a name of the host's
    must(links->change(index, {.name = "p0v1"}));
    const auto rdma = must(fake.host.netns.rdma(must(fake.host.netns.open(pod))));
    must(rdma->rename("mlx5_1", GENERATE("mlx5_0x", "..", "a/b")));  // no file has the last two
    must(links->change(fake.link("pod0", "p0v1")->index, {.up = true}));
  }

  const KindName kind;
};

template <class Then>
auto with_work(Node& node, Then then) {
  const auto store = node.store();
  must(store.prepare());
  const auto deadline = node.deadline();
  return then(Work{node.fake.host, store, deadline, node.log});
}

}  // namespace

TEST_CASE("Whatever a pod does to its device, the device comes back as it was") {
  Hosting node(GENERATE(KindName::eth_vf, KindName::whole_nic));
  INFO(to_string(node.kind));
  const bool pod_lives = GENERATE(true, false);
  INFO("the pod " << (pod_lives ? "lives" : "is gone"));
  node.fake.kernel.renames_only_down = GENERATE(true, false);
  const auto before = node.standing();
  must(node.attach(node.asked()));
  node.be_hostile();
  if (!pod_lives) node.fake.delete_netns("pod0");
  // As a network manager of the host does with what comes up there.
  for (const auto& one : node.fake.kernel.links) {
    const bool is_back = !pod_lives && one->link.parent_device == kDevice.to_string();
    if (is_back) one->link.flags |= 1U;  // IFF_UP
  }
  must(node.detach(node.asked().key));
  CHECK(node.standing() == before);
  if (pod_lives) {
    CHECK_FALSE(node.fake.link("pod0", "net1.7"));
    CHECK_FALSE(node.fake.link("pod0", "mac0"));
  }
}

TEST_CASE("What a whole NIC's host had is owed while its link cannot come up, and is paid") {
  Hosting node(KindName::whole_nic);
  const auto before = node.standing();
  must(node.attach(node.asked()));
  for (int i = 0; i < 2; ++i) node.fake.fail_next("change", EIO, FakeHost::Effect::none, 2);
  for (int i = 0; i < 4; ++i) node.fake.fail_next("add_route", ENETDOWN, FakeHost::Effect::none, 0);
  const auto detached = node.detach_all(node.asked().key);
  CHECK_FALSE(detached.error);
  node.fake.fail_no_more();
  const auto owed = read_debts(node.store(), kDevice).debts;
  CHECK(std::ranges::any_of(owed, [](const auto& debt) { return debt.what == "route"; }));
  Pauses none(node.fake.clock);
  must(with_work(node, [&](const Work& work) { return reconcile(work, Doing::it, none); }));
  CHECK(node.standing() == before);
}

TEST_CASE("A debt stays when an attachment ends that had no such part") {
  Node node;
  const auto store = node.store();
  must(store.prepare());
  auto attached = node.request();
  must(node.attach(attached));
  must(node.detach(attached.key));
  const auto inode = [&] {
    must(node.attach(attached));
    const auto record = must(store.load(attached.key));
    must(node.detach(attached.key));
    return record->driver.inode;
  }();
  const std::vector<Debt> name = {{"rdma name", "mlx5_old", "mlx5_1"}};
  must(write_debts(store, attached.device, {inode, name}));
  attached.rdma = RdmaUse::off;
  must(node.attach(attached));
  must(node.detach(attached.key));
  CHECK(read_debts(store, attached.device).debts == name);
}

TEST_CASE("A function with several netdevs is refused before any change") {
  Node node;
  const auto before = node.standing();
  std::filesystem::create_directories(node.fake.host.roots.sysfs +
                                      "/bus/pci/devices/0000:11:00.0/net/p0v0d1");
  const auto refused = node.attach(node.request());
  REQUIRE(is(refused, ErrorCode::unsupported));
  CHECK_THAT(refused.error().message, ContainsSubstring("p0v0, p0v0d1"));
  CHECK(node.standing() == before);
}

TEST_CASE("A whole device of a userspace driver stays where it is, and goes") {
  Node node;
  const auto function = node.fake.host.roots.sysfs + "/bus/pci/devices/0000:11:00.0/";
  for (const char* folder : {"net", "infiniband", "infiniband_verbs", "infiniband_mad"}) {
    std::filesystem::remove_all(function + folder);
  }
  std::filesystem::remove(function + "driver");
  std::filesystem::create_symlink("../../../../bus/pci/drivers/vfio-pci", function + "driver");
  std::erase_if(node.fake.kernel.links, [](const auto& one) { return one->link.name == "p0v0"; });
  auto request = node.request();
  request.kind = KindName::whole_nic;
  request.settings = {};
  const auto attached = must(node.attach(request));
  CHECK_FALSE(attached.has_netdev);
  CHECK(is(node.attach(node.request("c1")), ErrorCode::busy));
  must(node.detach(request.key));
  CHECK(node.records() == 0);
}

namespace {

// A netdev "eth7" of the host that stands for itself.
struct Bare : Node {
  explicit Bare(const std::string& kind, const std::string& parent = "",
                const std::string& mac = "02:00:00:00:00:77") {
    add("eth7", kind, parent, mac);
  }
  void add(const std::string& name, const std::string& kind, const std::string& parent,
           const std::string& mac) {
    host::Link link;
    link.name = name;
    link.mtu = 1500;
    if (!mac.empty()) link.address = *HwAddress::from_string(mac);
    if (!kind.empty()) link.kind = kind;
    if (!parent.empty()) {
      link.parent_bus = "vmbus";
      link.parent_device = parent;
    }
    fake.kernel.add_link(fake.kernel.host_netns, link);
  }
  [[nodiscard]] AttachRequest asked(const std::string& container = "c0") const {
    auto asked = request(container);
    asked.kind = KindName::whole_nic;
    asked.settings = {};
    asked.device = *device::DeviceId::from_parts("net", "eth7");
    return asked;
  }
};

}  // namespace

TEST_CASE("A NIC of another bus is found after its namespace is gone, whatever it is called then") {
  Bare node("", "7ad35d50-c05b");
  const auto before = node.standing();
  must(node.attach(node.asked()));
  node.fake.delete_netns("pod0");
  must(node.detach(node.asked().key));
  CHECK(node.standing() == before);
}

TEST_CASE("A netdev of whatever address length is attached and given back") {
  Bare node("wireguard", "", GENERATE("", "0a:00:00:01", "02:00:00:00:00:77"));
  const auto before = node.standing();
  must(node.attach(node.asked()));
  must(node.detach(node.asked().key));
  CHECK(node.standing() == before);
}

TEST_CASE("A netdev without a bus is known in its pod, however the pod calls it and another one") {
  Bare node("veth");
  const auto before = node.standing();
  must(node.attach(node.asked()));
  auto links = must(node.fake.host.netns.links(must(node.fake.host.netns.open(node.pod))));
  must(links->change(node.fake.link("pod0", "net1")->index, {.name = "x1"}));
  auto fake = *node.fake.link("pod0", "x1");
  fake.name = "net1";
  fake.address = *HwAddress::from_string("02:00:00:00:00:66");
  fake.index = 0;
  node.fake.kernel.add_link(must(node.fake.host.netns.open(node.pod)).id().inode, fake);
  must(node.detach(node.asked().key));
  CHECK(node.standing() == before);
  CHECK(node.fake.link("pod0", "net1"));
}

TEST_CASE(
    "A netdev of software that went with its renamed self's namespace is on record no longer") {
  Bare node("veth");
  must(node.attach(node.asked()));
  auto links = must(node.fake.host.netns.links(must(node.fake.host.netns.open(node.pod))));
  must(links->change(node.fake.link("pod0", "net1")->index, {.name = "x1"}));
  std::ignore = node.check(node.asked().key);  // gives the locks back
  node.fake.delete_netns("pod0");
  Pauses none(node.fake.clock);
  must(with_work(node, [&](const Work& work) { return reconcile(work, Doing::it, none); }));
  CHECK(node.records() == 0);
}

TEST_CASE("A PF whose VF a pod has is given to nobody") {
  Node node;
  must(node.attach(node.request()));
  std::ignore = node.check(node.request().key);  // gives the locks back
  auto whole = node.request("c1");
  whole.device = *PciAddress::parse("0000:10:00.0");
  whole.kind = KindName::whole_nic;
  whole.settings = {};
  const auto refused = node.attach(whole);
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK_THAT(refused.error().message, ContainsSubstring("VF 0000:11:00.0"));
  must(node.detach(node.request().key));
  must(node.attach(whole));
}

TEST_CASE("Names of whatever length: DEL and reconcile find the record") {
  Node node;
  const auto before = node.standing();
  auto request = node.request();
  request.key.container_id = std::string(GENERATE(64U, 245U), 'c');
  request.key.network = std::string(GENERATE(5U, 185U, 250U), 'n');
  must(node.attach(request));
  if (GENERATE(true, false)) {
    must(node.detach(request.key));
  } else {
    std::ignore = node.check(request.key);
    node.fake.delete_netns("pod0");
    Pauses none(node.fake.clock);
    must(with_work(node, [&](const Work& work) { return reconcile(work, Doing::it, none); }));
    CHECK(must(node.store().owed_addresses(request.key.network)).size() == 1);
  }
  CHECK(node.standing() == before);
}

TEST_CASE("A netdev that the host makes under a name that a pod's has is not taken for it") {
  Bare node("veth");
  must(node.attach(node.asked()));
  std::ignore = node.check(node.asked().key);  // gives the locks back
  node.add("eth7", "veth", "", GENERATE("02:00:00:00:00:77", "02:00:00:00:00:78"));
  Pauses none(node.fake.clock);
  must(with_work(node, [&](const Work& work) { return reconcile(work, Doing::it, none); }));
  CHECK(node.fake.link("pod0", "net1"));
  const auto other = node.fake.add_netns("pod1");
  auto second = node.asked("c1");
  second.netns_path = other;
  const auto refused = node.attach(second);
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK_THAT(refused.error().message, ContainsSubstring("c0"));
  CHECK(node.fake.link("pod0", "net1"));
}

TEST_CASE("A hardware netdev that names no bus is refused: nothing would tell it from another") {
  Bare node("");
  CHECK(is(node.attach(node.asked()), ErrorCode::unsupported));
}

TEST_CASE(
    "A userspace driver's VF is held while a process keeps a namespace that no path leads to") {
  Node node;
  const auto function = node.fake.host.roots.sysfs + "/bus/pci/devices/0000:11:00.0/";
  std::filesystem::remove_all(function + "net");
  std::filesystem::remove(function + "driver");
  std::filesystem::create_symlink("../../../../bus/pci/drivers/igb_uio", function + "driver");
  std::erase_if(node.fake.kernel.links, [](const auto& one) { return one->link.name == "p0v0"; });
  auto request = node.request();
  request.settings.mtu.reset();
  request.rdma = RdmaUse::off;
  must(node.attach(request));
  node.fake.unlink_netns("pod0");
  node.pod = node.fake.add_netns("pod1");
  auto next = request;
  next.key.container_id = "c1";
  next.netns_path = node.pod;
  CHECK(is(node.attach(next), ErrorCode::busy));
  node.fake.end_netns("pod0");
  must(node.attach(next));
}

TEST_CASE("A record and a claim that were lost: the next pod's device is as it was before them") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  node.fake.delete_netns("pod0");
  node.pod = node.fake.add_netns("pod1");
  std::filesystem::remove(node.store().folder() + "/" + record_name(node.request().key));
  if (GENERATE(true, false)) {
    std::filesystem::remove(node.fake.host.roots.run + "/devices/0000:11:00.0");
  }
  must(node.attach(node.request("c1")));
  must(node.detach(node.request("c1").key));
  CHECK(node.standing() == before);
}

TEST_CASE("A device whose record cannot be read is let go by force, as it was before") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  std::ignore = node.check(node.request().key);  // gives the locks back
  must(host::write_file_atomically(node.store().folder() + "/" + record_name(node.request().key),
                                   "{", 0600));
  const device::DeviceId device = node.request().device;
  const auto let_go = [&](Even even) {
    return with_work(node, [&](const Work& work) { return release(work, device, even); });
  };
  CHECK(is(let_go(Even::not_if_held), ErrorCode::decode));
  CHECK(is(let_go(Even::if_held), ErrorCode::busy));  // the pod has it
  node.fake.delete_netns("pod0");
  CHECK_THAT(let_go(Even::not_if_held).error().message,
             ContainsSubstring("railhead release 0000:11:00.0 --force"));
  CHECK(must(let_go(Even::if_held)).left.empty());
  CHECK(node.standing() == before);
  CHECK(must(node.store().owed_addresses("rail0")).size() == 1);
}

TEST_CASE("A quarantined device is not tried again at each event") {
  Node node({.vfs = 2, .driver = FakeDriver::igb()});
  auto request = node.request();
  request.settings = {};
  request.settings.vf.rate = host::VfRate{0, 100};
  must(node.attach(request));
  node.fake.link("host", "p0")->carrier = false;
  REQUIRE(node.detach_all(request.key).quarantined);
  Pauses pauses(node.fake.clock);
  const auto turn = [&] {
    node.fake.operations.clear();
    return must(
        with_work(node, [&](const Work& work) { return reconcile(work, Doing::it, pauses); }));
  };
  const auto first = turn();
  CHECK(first.left.size() == 1);
  CHECK_FALSE(node.fake.operations.empty());
  CHECK(turn() == first);
  CHECK(node.fake.operations.empty());
  node.fake.link("host", "p0")->carrier = true;
  node.fake.clock.advance(std::chrono::seconds(30));
  CHECK(turn().left.empty());
}
