#include <cerrno>
#include <filesystem>
#include <set>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "attach/function.hpp"
#include "attach/store.hpp"
#include "attach/transaction.hpp"
#include "device/allocation.hpp"
#include "test/unit/attach/node.hpp"

using namespace railhead;
using namespace railhead::attach;
using namespace railhead::test;

TEST_CASE("A link that is down moves, is named and set with one message") {
  Node node;
  node.fake.link("host", "p0v0")->flags &= ~1U;
  must(node.attach(node.request()));
  must(node.activate({}));
  size_t link_messages = 0;
  for (const auto& operation : node.fake.operations) {
    if (operation.find(": change ") != std::string::npos) ++link_messages;
  }
  CHECK(link_messages == 2);  // the move, and the link-up
}

TEST_CASE("An IPv6 address is not announced while the link is taken up, and after that it may be") {
  Node node;
  must(node.attach(node.request()));
  node.fake.kernel.show_sysctls_of(must(node.fake.host.netns.open(node.pod)).id().inode);
  const auto conf = node.fake.host.roots.proc + "/sys/net/";
  // As a namespace may have it for new interfaces
  must(host::write_file(conf + "ipv6/conf/net1/ndisc_notify", "1"));
  node.fake.fail_next("change", EPERM);
  REQUIRE_FALSE(node.activate({}));
  node.fake.kernel.show_sysctls_of(must(node.fake.host.netns.open(node.pod)).id().inode);
  CHECK(must(host::read_file(conf + "ipv6/conf/net1/ndisc_notify")) == "0");
  CHECK(must(host::read_file(conf + "ipv4/conf/net1/arp_notify")) == "1");
  must(node.activate({}));
  node.fake.kernel.show_sysctls_of(must(node.fake.host.netns.open(node.pod)).id().inode);
  CHECK(must(host::read_file(conf + "ipv6/conf/net1/ndisc_notify")) == "1");
}

TEST_CASE(
    "RDMA devices that are to be left alone stay in the host, and DEL leaves them alone too") {
  Node node;
  const auto before = node.standing();
  auto request = node.request();
  request.rdma = attach::RdmaUse::off;
  must(node.attach(request));
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "host");
  must(node.activate({}));
  must(node.check(request.key));
  must(node.detach(request.key));
  CHECK(node.standing() == before);
}

TEST_CASE("A VF without an RDMA device that is required is refused before any change") {
  Node node;
  node.fake.add_pf({.address = "0000:20:00.0", .netdev = "p1", .rdma = false});
  auto request = node.request();
  request.device = *PciAddress::parse("0000:21:00.0");
  request.rdma = attach::RdmaUse::require;
  const auto before = node.standing();
  const auto refused = node.attach(request);
  REQUIRE(is(refused, ErrorCode::invalid_argument));
  CHECK(refused.error().message.find("has no RDMA device") != std::string::npos);
  CHECK(node.standing() == before);
  request.rdma = attach::RdmaUse::automatic;
  CHECK(node.attach(request));
}

TEST_CASE("In switchdev mode what only the legacy switch has is refused before any change") {
  Node node({.vfs = 2, .switchdev = true});
  node.fake.link("host", "p0v0")->flags &= ~1U;
  const auto before = node.standing();
  auto request = node.request();
  request.settings.vf.spoofchk = false;
  const auto refused = node.attach(request);
  REQUIRE(is(refused, ErrorCode::unsupported));
  CHECK(refused.error().message.find("p0 (0000:10:00.0) is in switchdev mode, which has no vlan, "
                                     "spoofchk, trust") != std::string::npos);
  CHECK(node.fake.operations.empty());
  CHECK(node.standing() == before);
  CHECK(node.records() == 0);
}

TEST_CASE("In switchdev mode a VF is attached by what both modes have, and given back") {
  Node node({.vfs = 2, .switchdev = true});
  const auto before = node.standing();
  auto request = node.request();
  request.settings.vf = {};
  request.settings.vf.mac = HwAddress::parse("02:00:00:00:00:aa");
  request.settings.vf.rate = host::VfRate{0, 1000};
  request.settings.vf.trust = false;  // as it stands: nothing is set
  must(node.attach(request));
  must(node.activate({}));
  must(node.check(request.key));
  must(node.detach(request.key));
  CHECK(node.standing() == before);
}

TEST_CASE("What a PF that went to switchdev mode meanwhile refuses holds no undo up") {
  Node node;
  const auto request = node.request();  // with a VLAN and trust
  must(node.attach(request));
  node.fake.make_switchdev("p0");
  must(node.detach(request.key));
  CHECK(node.records() == 0);
  CHECK(node.fake.link("host", "p0v0"));
  const PciAddress vf{0, 0x11, 0, 0};
  CHECK(node.fake.vf(vf).trust == true);
  // Back in legacy mode the next pod gets nothing of it.
  node.fake.kernel.pfs.front()->is_switchdev = false;
  for (const auto* representor : {"p0rep0", "p0rep1"}) {
    auto* link = node.fake.link("host", representor);
    link->phys_port_name.reset();
    link->phys_switch_id.reset();
    link->parent_device.reset();
  }
  auto next = node.request("c1");
  next.settings.vf = {};
  must(node.attach(next));
  CHECK(node.fake.vf(vf).trust == false);
  CHECK(node.fake.vf(vf).vlan == host::VfVlan{});
  must(node.detach(next.key));
}

TEST_CASE("A PF's representors are not taken for its netdev where its uplink is elsewhere") {
  Node node({.vfs = 2, .switchdev = true});
  const auto elsewhere = must(node.fake.host.netns.open(node.fake.add_netns("pod1")));
  must(node.fake.host.links.change(node.fake.link("host", "p0")->index,
                                   {.netns_fd = elsewhere.fd()}));
  const auto refused = node.attach(node.request());
  REQUIRE(is(refused, ErrorCode::invalid_argument));
  CHECK(refused.error().message.find("PF network device not found") != std::string::npos);
}

TEST_CASE("A VF that would lose its RDMA device by the move is refused, or attached without it") {
  Node node({.vfs = 2, .driver = FakeDriver::bnxt()});
  const auto before = node.standing();
  auto request = node.request();
  const auto refused = node.attach(request);
  REQUIRE(is(refused, ErrorCode::unsupported));
  CHECK(refused.error().message.find("mlx5_1 of 0000:11:00.0 goes when its netdev moves") !=
        std::string::npos);
  CHECK(node.standing() == before);
  SECTION("rdma: off") {
    request.rdma = attach::RdmaUse::off;
    CHECK(must(node.attach(request)).warnings.front().find("bnxt_re") != std::string::npos);
    CHECK(node.fake.kernel.rdma.size() == 2);
    must(node.detach(request.key));
    CHECK(node.records() == 0);
  }
  SECTION("on the auxiliary bus") {
    node.fake.kernel.pfs.front()->driver.loses_rdma = false;
    node.fake.kernel.sysfs.write(
        node.fake.kernel.sysfs.folder("0000:11:00.0") + "/bnxt_en.rdma.0/modalias", "");
    must(node.attach(request));
    must(node.detach(request.key));
    CHECK(node.standing() == before);
  }
}

TEST_CASE("A device that is an RDMA device alone is refused, and told that it needs no network") {
  Node node;
  node.fake.kernel.sysfs.add({.address = "0000:30:00.0", .driver = "efa"});
  node.fake.kernel.add_rdma(PciAddress{0, 0x30, 0, 0}, "efa_0", "unspecified");
  const auto before = node.standing();
  auto request = node.request();
  request.device = PciAddress{0, 0x30, 0, 0};
  const auto refused = node.attach(request);
  REQUIRE(is(refused, ErrorCode::invalid_argument));
  CHECK(refused.error().message.find("needs no network for it") != std::string::npos);
  CHECK(node.standing() == before);
  // What has none is told nothing of one.
  node.fake.kernel.sysfs.add({.address = "0000:31:00.0", .pci_class = "030200", .driver = ""});
  request.device = PciAddress{0, 0x31, 0, 0};
  const auto other = node.attach(request);
  REQUIRE(is(other, ErrorCode::invalid_argument));
  CHECK(other.error().message.find("needs no network for it") == std::string::npos);
}

TEST_CASE("A whole NIC that would lose its RDMA device is attached, and warned of") {
  Node node({.vfs = 2, .driver = FakeDriver::bnxt()});
  auto request = node.request();
  request.kind = KindName::whole_nic;
  request.settings = {};
  const auto attached = must(node.attach(request));
  REQUIRE(attached.warnings.size() == 1);
  CHECK(attached.warnings.front().find("goes when its netdev moves") != std::string::npos);
}

TEST_CASE("A PF is given to nobody while a part of it is held, whichever driver has it") {
  Node node;
  node.fake.add_sub_function(*node.fake.kernel.pfs.front(), 4, "p0s4");
  AttachRequest whole{{"lan", "c9", "net1"}, node.pod, PciAddress{0, 0x10, 0, 0}};
  whole.kind = KindName::whole_nic;
  auto part = node.request();
  SECTION("a VF") {}
  SECTION("a sub-function") {
    part.device = {device::DeviceId::Kind::auxiliary, "mlx5_core.sf.4"};
    part.kind = KindName::whole_nic;
    part.settings = {};
  }
  must(node.attach(part));
  const auto driver = node.fake.host.roots.sysfs + "/bus/pci/devices/0000:10:00.0/driver";
  for (const auto* name : {"mlx5_core", "vfio-pci"}) {
    std::filesystem::remove(driver);
    std::filesystem::create_symlink(std::string("../../../../bus/pci/drivers/") + name, driver);
    const auto refused = node.attach(whole);
    REQUIRE(is(refused, ErrorCode::busy));
    CHECK(refused.error().message.find(part.device.name) != std::string::npos);
  }
}

TEST_CASE("A sub-function whose character devices changed with its move is not attached") {
  Node node;
  node.fake.kernel.taken_char_numbers.erase(3);
  node.fake.kernel.taken_char_numbers.insert(3);
  node.fake.add_sub_function(*node.fake.kernel.pfs.front(), 4, "p0s4");
  const auto before = node.standing();
  auto request = node.request();
  request.device = {device::DeviceId::Kind::auxiliary, "mlx5_core.sf.4"};
  request.kind = KindName::whole_nic;
  request.settings = {};
  node.fake.kernel.taken_char_numbers.erase(3);  // another device went: its number is free
  const auto refused = node.attach(request);
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK(refused.error().message.find("character devices of mlx5_core.sf.4 changed") !=
        std::string::npos);
  CHECK(node.fake.netns_of_rdma("mlx5_3") == "host");
}

TEST_CASE("An MTU above that of an mlx5 PF is warned of: its frames are lost at the port") {
  for (const auto& driver : {FakeDriver::mlx5(), FakeDriver::igb()}) {
    Node node({.driver = driver});
    const auto attached = must(node.attach(node.request()));
    size_t warnings = 0;
    for (const auto& warning : attached.warnings) {
      if (warning.find("mtu 9000") != std::string::npos) ++warnings;
    }
    CHECK(warnings == (driver.name == "mlx5_core" ? 1 : 0));
  }
}

TEST_CASE("ADD and DEL leave everything as it stood") {
  Node node;
  const auto before = node.standing();
  const auto attached = must(node.attach(node.request()));
  CHECK(attached.mac == HwAddress::parse("02:00:00:00:00:aa"));
  CHECK(attached.mtu == 9000);
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "pod0");
  must(node.activate({}));
  must(node.check(node.request().key));
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
}

TEST_CASE("A VF whose admin MAC is in force takes the MAC asked for, and gets both its own back") {
  Node node;
  node.set_admin_mac(GENERATE("02:00:00:00:00:bb", "02:00:00:00:00:aa"));  // another; that one
  const auto before = node.standing();
  const auto attached = must(node.attach(node.request()));
  CHECK(attached.mac == node.request().settings.vf.mac);
  CHECK(node.fake.vf(*node.request().device.pci()).mac == node.request().settings.vf.mac);
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
}

TEST_CASE("Whatever step of ADD fails, with or without effect, everything stands as before") {
  const auto admin_mac = GENERATE("", "02:00:00:00:00:bb");
  const auto effect = GENERATE(FakeHost::Effect::none, FakeHost::Effect::done);
  for (const char* function : {"change", "change_vf", "remove_alt_name", "move", "list", "by_name",
                               "vf", "open", "netns_mode"}) {
    unsigned failures = 0;
    for (unsigned skip = 0;; ++skip) {
      Node node;
      if (*admin_mac) node.set_admin_mac(admin_mac);
      const auto before = node.standing();
      node.fake.fail_next(function, EIO, effect, skip);
      auto attached = node.attach(node.request());
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

TEST_CASE(
    "An undo that fails keeps the record, and DEL takes it up; what is owed the next ADD pays") {
  unsigned failed_undos = 0;
  unsigned owed = 0;
  for (unsigned skip = 0; skip < 8; ++skip) {
    Node node;
    const auto before = node.standing();
    node.fake.fail_next("move", EBUSY);  // the RDMA device, after the netdev has moved
    // then a step of the undo, for good
    for (int i = 0; i < 9; ++i)
      node.fake.fail_next("change", EIO, FakeHost::Effect::none, 2 + skip);
    auto attached = node.attach(node.request());
    REQUIRE_FALSE(attached);
    node.fake.fail_no_more();
    INFO(skip << ": " << attached.error().message);
    if (node.records() > 0) {
      ++failed_undos;
      CHECK(attached.error().message.find("the device stays held") != std::string::npos);
      CHECK(node.records() == 2);
    }
    must(node.detach(node.request().key));
    if (node.standing() != before) {  // what is only owed, the next ADD pays
      ++owed;
      must(node.attach(node.request("c1")));
      must(node.detach(node.request("c1").key));
    }
    CHECK(node.standing() == before);
  }
  CHECK(owed > 0);
  CHECK(failed_undos > 0);
}

TEST_CASE("A record that a killed ADD left without a claim does not keep the next one away") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  must(node.detach(node.request().key));
  // Killed between record and claim: nothing was changed yet.
  Record record;
  record.key = node.request().key;
  record.device = node.request().device;
  record.kind = KindName::rdma_only;
  must(Store(node.fake.host.roots.run).save(record));
  must(node.attach(node.request()));
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
}

TEST_CASE("A held VF is refused and its holder is named") {
  Node node;
  must(node.attach(node.request("c0")));
  auto second = node.attach(node.request("c1"));
  REQUIRE(is(second, ErrorCode::busy));
  CHECK(second.error().message ==
        "the VF 0000:11:00.0 is held by net1 of container c0 (pod "
        "ns/c0) on network \"rail0\"; it is released when that is deleted");
}

TEST_CASE("A namespace that is gone: DEL finishes the restore in the host") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  node.fake.delete_netns("pod0");
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
}

TEST_CASE(
    "The name was taken in the host meanwhile: a debt that the next ADD settles once it can") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  auto* thief = node.fake.link("host", "p0v1");
  REQUIRE(thief);
  const auto index = thief->index;
  must(node.fake.host.links.change(index, {.name = "p0v0"}));
  must(node.detach(node.request().key));
  REQUIRE(node.fake.link("host", "rh011000"));
  CHECK(node.records() == 0);
  const auto debts = read_debts(node.store(), node.request().device);
  CHECK(debts.debts == std::vector<Debt>{{"name", "p0v0", "rh011000"}});

  // Not yet: the next pod gets the device all the same, and the debt stays.
  must(node.attach(node.request("c1")));
  must(node.detach(node.request("c1").key));
  CHECK(read_debts(node.store(), node.request().device) == debts);

  must(node.fake.host.links.change(index, {.name = "p0v1"}));
  must(node.attach(node.request("c2")));
  must(node.detach(node.request("c2").key));
  CHECK(read_debts(node.store(), node.request().device) == Debts{});
  CHECK(node.standing() == before);
}

TEST_CASE("Whatever alternative name a pod gives its VF, the VF comes back without it") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  const auto netns = must(node.fake.host.netns.open(node.pod));
  const auto pod = must(node.fake.host.netns.links(netns));
  // its own name in the host; another netdev's there; the next pod's
  for (const char* name : {"p0v0", "p0v1", "eth0"}) {
    must(pod->add_alt_name(must(pod->by_name("net1")).index, name));
  }
  const bool vanished = GENERATE(false, true);
  if (vanished) node.fake.end_netns("pod0");
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
}

TEST_CASE("A VF that lost its driver in the pod, or got a userspace one: its PF's side is undone") {
  const std::string driver = GENERATE("", "vfio-pci");
  Node node;
  auto before = node.fake.vf(*node.request().device.pci());
  before.mac = node.fake.link("host", "p0v0")->address;  // mlx5: none would spoil its node GUID
  must(node.attach(node.request()));
  const std::string link = node.fake.host.roots.sysfs + "/bus/pci/devices/0000:11:00.0/driver";
  std::filesystem::remove(link);
  if (!driver.empty()) {
    std::filesystem::create_symlink("../../../../bus/pci/drivers/" + driver, link);
  }
  must(node.detach(node.request().key));
  CHECK(node.fake.vf(*node.request().device.pci()) == before);
  CHECK(node.records() == 0);
}

TEST_CASE("Character devices other than those of Allocate: ADD is undone and names both") {
  Node node;
  const auto before = node.standing();
  device::Allocation allocation;
  allocation.resource = "rdma/vf";
  allocation.device = *PciAddress::parse("0000:11:00.0");
  allocation.char_devices = {{device::CharKind::uverbs, "uverbs77", "231:269"}};
  must(device::write_allocation(node.fake.host.roots.run, allocation));
  auto attached = node.attach(node.request());
  REQUIRE(is(attached, ErrorCode::busy));
  CHECK(attached.error().message.find("uverbs77 (231:269)") != std::string::npos);
  CHECK(attached.error().message.find("uverbs1") != std::string::npos);
  CHECK(node.standing() == before);
}

TEST_CASE("Another minor after the move: ADD is undone") {
  Node node;
  const auto before = node.standing();
  // While mlx5_1 has no character devices, another device takes the lowest free number.
  node.fake.kernel.on_rdma_gone = [&] { node.fake.kernel.taken_char_numbers.insert(1); };
  auto attached = node.attach(node.request());
  REQUIRE_FALSE(attached);
  CHECK(attached.error().message.find("after the move") != std::string::npos);
  CHECK(node.standing() == before);
}

TEST_CASE("A PF that is down is attached and told") {
  Node node;
  node.fake.link("host", "p0")->flags &= ~1U;
  auto request = node.request();
  request.settings.mtu.reset();
  const auto attached = must(node.attach(request));
  REQUIRE(attached.warnings.size() == 1);
  CHECK(attached.warnings[0] ==
        "PF p0 (0000:10:00.0) is down: 0000:11:00.0 is attached without a link");
}

TEST_CASE("GC undoes what is not listed, of its network only") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  must(node.collect_garbage("another", {}));
  must(node.collect_garbage("rail0", {node.request().key}));
  CHECK(node.records() == 2);
  must(node.collect_garbage("rail0", {}));
  CHECK(node.standing() == before);
}

TEST_CASE("A container that was given no character devices has none compared") {
  Node node;
  device::Allocation allocation;
  allocation.resource = "rdma/vf";
  allocation.device = *PciAddress::parse("0000:11:00.0");
  must(device::write_allocation(node.fake.host.roots.run, allocation));
  must(node.attach(node.request()));
}

TEST_CASE("A container that was given some of a device's character devices is attached") {
  Node node;
  const auto all = must(attach::rdma_of(node.fake.host, node.request().device));
  REQUIRE(all.front().nodes.size() > 1);
  device::Allocation allocation;
  allocation.resource = "rdma/vf";
  allocation.device = *node.request().device.pci();
  allocation.char_devices = {all.front().nodes.front()};
  must(device::write_allocation(node.fake.host.roots.run, allocation));
  must(node.attach(node.request()));
}

TEST_CASE("An RDMA device that vanished after Allocate: ADD fails, the container holds its node") {
  Node node;
  device::Allocation allocation;
  allocation.resource = "rdma/vf";
  allocation.device = *PciAddress::parse("0000:11:00.0");
  allocation.char_devices = {{device::CharKind::uverbs, "uverbs1", "231:193"}};
  must(device::write_allocation(node.fake.host.roots.run, allocation));
  for (const char* folder : {"infiniband", "infiniband_verbs", "infiniband_mad"}) {
    std::filesystem::remove_all(node.fake.host.roots.sysfs + "/bus/pci/devices/0000:11:00.0/" +
                                folder);
  }
  auto attached = node.attach(node.request());
  REQUIRE(is(attached, ErrorCode::busy));
  CHECK(attached.error().message.find("they are none, but uverbs1") != std::string::npos);
}

TEST_CASE("A killed ADD's record without a claim does not touch the VF's next owner") {
  Node node;
  must(node.attach(node.request("c0")));
  // Killed between record and claim, or between the two steps of forgetting them.
  must(host::remove_file(node.fake.host.roots.run + "/devices/0000:11:00.0"));
  node.fake.delete_netns("pod0");
  node.pod = node.fake.add_netns("pod1");
  auto second = node.request("c1");
  must(node.attach(second));
  must(node.activate({}));
  const auto held = node.fake.vf(*second.device.pci());
  must(node.detach(node.request("c0").key));
  CHECK(node.fake.vf(*second.device.pci()) == held);
  CHECK(node.fake.link("pod1", "net1"));
  must(node.check(second.key));
}

TEST_CASE("A VF that a network manager took up in the host is given back all the same") {
  Node node;
  node.fake.link("host", "p0v0")->flags &= ~1U;
  const auto before = node.standing();
  must(node.attach(node.request()));
  node.fake.delete_netns("pod0");
  auto* link = node.fake.link("host", "net1");
  REQUIRE(link);
  link->flags |= 1U;
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
}

TEST_CASE("An RDMA device that the pod renamed comes back under its own name") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  auto netns = must(node.fake.host.netns.open(node.pod));
  must(must(node.fake.host.netns.rdma(netns))->rename("mlx5_1", "rail0"));
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
}

TEST_CASE("An interface that is attached already is refused, also with another device") {
  Node node;
  must(node.attach(node.request()));
  auto other = node.request();
  other.device = *PciAddress::parse("0000:11:00.1");
  auto second = node.attach(other);
  REQUIRE(is(second, ErrorCode::busy));
  CHECK(second.error().message.starts_with("the VF 0000:11:00.0 is held by net1 of container c0"));
  CHECK(node.fake.link("host", "p0v1"));
}

TEST_CASE("CHECK finds an interface that is down, and one of that name that is not the VF") {
  Node node;
  must(node.attach(node.request()));
  must(node.activate({}));
  auto* link = node.fake.link("pod0", "net1");
  REQUIRE(link);
  link->flags &= ~1U;
  const auto down = node.check(node.request().key);
  REQUIRE_FALSE(down);
  CHECK(down.error().message.ends_with(": net1 is down"));

  const auto pod = must(node.fake.host.netns.links(must(node.fake.host.netns.open(node.pod))));
  must(pod->change(link->index, {.name = "eth7", .up = true}));
  node.fake.kernel.add_link(must(node.fake.host.netns.open(node.pod)).id().inode,
                            {.name = "net1", .flags = 1, .kind = "dummy"});
  const auto other = node.check(node.request().key);
  REQUIRE_FALSE(other);
  CHECK(other.error().message.ends_with(": net1 is no PCI device, not the VF 0000:11:00.0"));
}

TEST_CASE("An alternative name of the VF that is taken in the pod is found before any change") {
  Node node;
  const auto before = node.standing();
  node.fake.kernel.add_link(must(node.fake.host.netns.open(node.pod)).id().inode,
                            {.name = "rail0", .kind = "dummy"});
  const auto attached = node.attach(node.request());
  REQUIRE(is(attached, ErrorCode::already_exists));
  CHECK(attached.error().message ==
        fmt::format("the name rail0 is already taken in {} (it is an alternative name of p0v0)",
                    node.pod));
  CHECK(node.fake.operations.empty());
  CHECK(node.standing() == before);
}

TEST_CASE("An InfiniBand VF is refused as an Ethernet one before any change") {
  Node node({.vfs = 1, .driver = FakeDriver::infiniband(), .infiniband = true});
  const auto attached = node.attach(node.request());
  REQUIRE(is(attached, ErrorCode::invalid_argument));
  CHECK(attached.error().message ==
        "PF network device not found: none of 0000:10:00.0's is an Ethernet one; InfiniBand VFs "
        "are attached by the types ib-sriov and railhead");
  CHECK(node.fake.operations.empty());
}

TEST_CASE("A VF that is part of a bond of the host is refused before any change") {
  Node node;
  node.fake.link("host", "p0v0")->master = 7;
  const auto attached = node.attach(node.request());
  REQUIRE(is(attached, ErrorCode::busy));
  CHECK(attached.error().message.find("(p0v0) is part of a bond") != std::string::npos);
  CHECK(node.fake.operations.empty());
}

TEST_CASE("A DEL that cannot bring the RDMA device back leaves no interface that answers") {
  Node node;
  const auto before = node.standing();
  must(node.attach(node.request()));
  must(node.activate({}));
  node.fake.fail_next("move", EBUSY);
  REQUIRE_FALSE(node.detach(node.request().key));
  REQUIRE(node.fake.link("pod0", "net1"));
  CHECK_FALSE(node.fake.link("pod0", "net1")->is_up());
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
}

TEST_CASE("A VF of a userspace driver has no netdev: its PF's attributes are set and restored") {
  Node node;
  const std::string function = node.fake.host.roots.sysfs + "/bus/pci/devices/0000:11:00.0/";
  std::filesystem::remove_all(function + "net");
  std::filesystem::remove(function + "driver");
  std::filesystem::create_symlink("../../../../bus/pci/drivers/vfio-pci", function + "driver");
  const auto before = node.fake.vf(*node.request().device.pci());
  auto request = node.request();
  request.settings.mtu.reset();
  const auto attached = must(node.attach(request));
  CHECK_FALSE(attached.has_netdev);
  CHECK(attached.mac == request.settings.vf.mac);
  CHECK(node.fake.vf(*request.device.pci()).vlan == request.settings.vf.vlan);
  must(node.check(request.key));
  must(node.detach(request.key));
  auto after = node.fake.vf(*request.device.pci());
  // mlx5 would make a node GUID of no admin MAC: it has one, that no pod has chosen.
  CHECK(after.mac->bytes()[0] == 0x02);
  CHECK(after.mac != request.settings.vf.mac);
  after.mac = before.mac;
  CHECK(after == before);
  CHECK(node.records() == 0);
}

TEST_CASE("A VF whose driver begins anew for its settings is waited for, but not for ever") {
  Node node({.vfs = 2, .driver = FakeDriver::ice()});
  const auto before = node.standing();
  must(node.attach(node.request()));
  must(node.activate({}));
  CHECK(node.fake.link("pod0", "net1")->address == node.request().settings.vf.mac);
  CHECK(node.fake.link("pod0", "net1")->is_up());
  must(node.detach(node.request().key));
  CHECK(node.standing() == before);
  for (unsigned i = 0; i < 200; ++i) node.fake.fail_next("change", EBUSY);
  const auto start = node.fake.clock.now();
  REQUIRE_FALSE(node.attach(node.request()));
  CHECK(node.fake.clock.now() - start < std::chrono::seconds(30));
  node.fake.fail_no_more();
}

TEST_CASE("What a driver takes but does not tell is set, and set back to what it begins with") {
  Node node({.vfs = 2, .driver = {.name = "other", .tells_trust = false}});
  const auto before = node.standing();
  auto request = node.request();
  request.settings.vf.spoofchk = false;
  must(node.attach(request));
  must(node.activate({}));
  CHECK(node.fake.kernel.pfs.front()->vfs.front().trusted);
  must(node.check(request.key));
  must(node.detach(request.key));
  CHECK(node.standing() == before);
  CHECK_FALSE(node.fake.kernel.pfs.front()->vfs.front().trusted);
}

TEST_CASE("Trust that is not told and could not be taken back keeps the VF from the next pod") {
  Node node({.vfs = 2, .driver = {.name = "other", .tells_trust = false}});
  auto request = node.request();
  request.settings.vf = {.trust = true};
  must(node.attach(request));
  for (int i = 0; i < 20; ++i) node.fake.fail_next("change_vf", EIO);
  CHECK_FALSE(node.detach(request.key));
  CHECK(node.records() != 0);
  node.fake.fail_no_more();
  must(node.detach(request.key));
  CHECK_FALSE(node.fake.kernel.pfs.front()->vfs.front().trusted);
  CHECK(node.records() == 0);
}

TEST_CASE("An ADD whose MAC the PF refuses leaves mlx5's VF as it was, with no admin MAC") {
  Node node;
  auto request = node.request();
  request.settings.vf = {.mac = request.settings.vf.mac};
  const auto before = node.standing();
  for (int i = 0; i < 20; ++i) node.fake.fail_next("change_vf", EPERM);
  REQUIRE_FALSE(node.attach(request));
  CHECK(node.records() == 0);
  CHECK(node.fake.vf(*request.device.pci()).mac->is_zero());
  CHECK(node.standing() == before);
}
