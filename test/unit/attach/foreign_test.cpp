// Attachments that the Go programs made before this one came are taken over once.
#include <cerrno>
#include <filesystem>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "attach/foreign_cache.hpp"
#include "test/unit/attach/node.hpp"

using namespace railhead;
using namespace railhead::attach;
using namespace railhead::test;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

const PciAddress kVf{0, 0x11, 0, 0};
constexpr const char* kContainer =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const AttachmentKey kKey{"rail0", kContainer, "net1"};

// As sriov-cni writes it: Go's names where a field has no tag.
constexpr const char* kCache =
    R"({{"cniVersion":"0.3.1","name":"rail0","type":"sriov","ipam":{{"type":"host-local"}},"dns":{{}},
  "OrigVfState":{{"HostIFName":"{}","SpoofChk":true,"Trust":false,"AdminMAC":"{}",
    "EffectiveMAC":"{}","Vlan":0,"VlanQoS":0,"VlanProto":33024,"MinTxRate":0,"MaxTxRate":0,
    "LinkState":0,"MTU":1500}},
  "Master":"p0","MAC":"02:00:00:00:00:AA","MTU":1500,"vlan":100,"vlanQoS":3,"vlanProto":"802.1q",
  "deviceID":"0000:11:00.0","VFID":0,"trust":"on","runtimeConfig":{{}},"logLevel":"info"}})";

// A node whose pod "pod0" sriov-cni has attached, with VLAN 100, a MAC and trust.
struct Swapped : Node {
  std::string cni = fake.host.roots.cni_cache;
  std::string cache = fmt::format("{}/sriov/{}-net1", cni, kContainer);
  std::string allocation = cni + "/sriov/pci/0000:11:00.0";
  std::string rdma_cache = fmt::format("{}/rdma/rail0-{}-net1", cni, kContainer);
  std::string before;
  host::LinkChange moved;

  Swapped() {
    auto* link = fake.link("host", "p0v0");
    link->flags &= ~1U;
    must(fake.host.links.remove_alt_name(link->index, "net1"));
    before = standing();
    must(host::make_directories(cni + "/sriov/pci", 0700));
    must(host::make_directories(cni + "/rdma", 0700));
    write_cache("p0v0");
    must(host::write_file_atomically(allocation, pod, 0600));
    give_to_pod();
    fake.operations.clear();
  }

  void write_cache(const std::string& name) {
    const auto admin = fake.vf(kVf).mac.value_or(HwAddress());
    const auto text = fmt::format(kCache, name, admin.empty() ? "" : admin.to_string(),
                                  fake.link("host", "p0v0")->address.to_string());
    must(host::write_file_atomically(cache, text, 0600));
  }

  void give_to_pod() {
    const auto pf = must(fake.host.links.by_name("p0")).index;
    must(fake.host.links.change_vf(pf, 0, {.vlan = host::VfVlan{100, 3, 0x8100}}));
    const auto netns = must(fake.host.netns.open(pod));
    const auto index = fake.link("host", "p0v0")->index;
    must(fake.host.links.change(index, {.netns_fd = netns.fd(), .name = "net1"}));
    const auto links = must(fake.host.netns.links(netns));
    const auto mac = HwAddress::parse("02:00:00:00:00:aa");
    must(links->change(must(links->by_name("net1")).index, {.address = mac, .up = true}));
    must(fake.host.links.change_vf(pf, 0, {.mac = mac}));
    must(fake.host.links.change_vf(pf, 0, {.trust = true}));
  }

  // As rdma-cni does behind it.
  void move_rdma() {
    must(fake.host.rdma.move("mlx5_1", must(fake.host.netns.open(pod)).fd()));
    must(host::write_file_atomically(
        rdma_cache,
        R"({"version":"1.0","deviceID":"0000:11:00.0","sandboxRdmaDevName":"mlx5_1","containerRdmaDevName":"mlx5_1"})",
        0600));
  }

  Detached del(const std::string& path, Predecessor predecessor = Predecessor::sriov_cni) {
    return detach_all(kKey, path, predecessor);
  }
  Detached del_rdma(const std::string& path) {
    return Attachments(fake.host, deadline(), log).detach_rdma(kKey, path);
  }

  void check_taken() {
    CHECK(standing() == before);
    CHECK(records() == 0);
    for (const auto& file : {cache, allocation}) {
      INFO(file);
      CHECK_FALSE(fs::exists(file));
      CHECK(fs::exists(file + ".taken"));
    }
  }
  void check_untouched(bool cache_stays = true) {
    CHECK(fake.operations.empty());
    CHECK(records() == 0);
    CHECK(fs::exists(cache) == cache_stays);
    CHECK(fs::exists(allocation));
  }
};

void check_well(const Detached& detached) {
  CHECK_FALSE(detached.error);
  CHECK_FALSE(detached.quarantined);
  CHECK(detached.is_silent);
}

}  // namespace

TEST_CASE(
    "A pod that sriov-cni attached: our DEL restores, and the next pod without vlan is clean") {
  Swapped node;
  std::string path = node.pod;
  SECTION("its namespace is there") {}
  SECTION("DEL is not told of it") { path.clear(); }
  SECTION("it is gone, its VF is in the host under the pod's name") {
    node.fake.delete_netns("pod0");
  }
  check_well(node.del(path));
  node.check_taken();
  check_well(node.del(path));
  node.check_taken();

  node.pod = node.fake.add_netns("pod1");
  auto request = node.request("c1");
  request.settings = {};
  must(node.attach(request));
  CHECK(node.fake.vf(kVf).vlan == host::VfVlan{0, 0, 0x8100});
  CHECK(node.fake.vf(kVf).trust == false);
  must(node.detach(request.key));
  CHECK(node.standing() == node.before);
}

TEST_CASE("A take-over that fails is taken up from its own record, once") {
  Swapped node;
  node.fake.fail_next("change", EBUSY, FakeHost::Effect::none, 1);  // the way out of the pod
  REQUIRE(node.del(node.pod).error);
  CHECK(node.records() == 2);
  CHECK(fs::exists(node.cache));
  check_well(node.del(node.pod));
  node.check_taken();
}

TEST_CASE("A take-over that was killed before it had written its record begins anew") {
  Swapped node;
  must(node.store().prepare());
  Record record;
  record.key = kKey;
  record.device = kVf;
  must(node.store().claim(record));
  check_well(node.del(node.pod));
  node.check_taken();
}

TEST_CASE("What the driver does not tell of a VF is not given back to it") {
  Swapped node;
  node.fake.vf(kVf).spoofchk.reset();
  node.fake.vf(kVf).rate.reset();
  check_well(node.del(node.pod));
  CHECK_FALSE(fs::exists(node.cache));
}

TEST_CASE("ADD: what sriov-cni gave to a namespace that lives is held, else it is taken over") {
  Swapped node;
  const auto path = node.pod;
  node.pod = node.fake.add_netns("pod1");
  auto request = node.request("c1");
  request.settings = {};
  SECTION("it lives") {
    const auto refused = node.attach(request);
    REQUIRE(is(refused, ErrorCode::busy));
    CHECK(refused.error().reason == reason::kHeld);
    CHECK_THAT(refused.error().message, ContainsSubstring("sriov-cni") && ContainsSubstring(path));
    node.check_untouched();
    check_well(node.del(path));
    node.check_taken();
  }
  SECTION("it is gone") {
    node.fake.delete_netns("pod0");
    must(node.attach(request));
    CHECK(node.fake.vf(kVf).vlan == host::VfVlan{0, 0, 0x8100});
    CHECK_FALSE(fs::exists(node.cache));
    CHECK_FALSE(fs::exists(node.allocation));
    must(node.detach(request.key));
    CHECK(node.standing() == node.before);
    node.check_taken();
  }
  SECTION("it is gone, and so is the cache") {
    check_well(node.del(path));
    must(host::write_file_atomically(node.allocation, "/run/netns/gone", 0600));
    must(node.attach(request));
    CHECK(fs::exists(node.allocation));
    must(node.detach(request.key));
    CHECK(node.standing() == node.before);
  }
  SECTION("it is gone, and the undo fails") {
    node.fake.delete_netns("pod0");
    for (int i = 0; i < 20; ++i) node.fake.fail_next("change_vf", EIO);
    const auto refused = node.attach(request);
    REQUIRE(is(refused, ErrorCode::busy));
    CHECK(node.records() == 2);
    node.fake.fail_no_more();
    must(node.attach(request));
    must(node.detach(request.key));
    node.check_taken();
  }
}

TEST_CASE("An RDMA device that rdma-cni moved comes back") {
  Swapped node;
  node.move_rdma();
  std::string path = node.pod;
  SECTION("by the DEL of `sriov`, where no `rdma` is in the chain any more") {
    check_well(node.del(path));
  }
  SECTION("by that of `rdma` first") {
    check_well(node.del_rdma(path));
    CHECK(node.fake.netns_of_rdma("mlx5_1") == "host");
    CHECK(node.fake.link("pod0", "net1"));
    CHECK(fs::exists(node.cache));
    check_well(node.del(path));
  }
  SECTION("the pod renamed it, and its namespace is gone") {
    const auto pod = must(node.fake.host.netns.rdma(must(node.fake.host.netns.open(node.pod))));
    must(pod->rename("mlx5_1", "mine"));
    node.fake.delete_netns("pod0");
    check_well(node.del_rdma(path));
    check_well(node.del(path));
  }
  node.check_taken();
  CHECK(fs::exists(node.rdma_cache + ".taken"));
}

TEST_CASE("rdma-cni behind our own attachment: its cache is taken over into the record") {
  Node node;
  const auto before = node.standing();
  auto request = node.request(kContainer);
  request.rdma = RdmaUse::off;
  must(node.attach(request));
  std::ignore = (node.check(request.key));  // which ends the ADD, with its locks
  must(node.fake.host.rdma.move("mlx5_1", must(node.fake.host.netns.open(node.pod)).fd()));
  const auto folder = node.fake.host.roots.cni_cache + "/rdma";
  must(host::make_directories(folder, 0700));
  const auto file = fmt::format("{}/rail0-{}-net1", folder, kContainer);
  must(host::write_file_atomically(
      file, R"({"DeviceID":"0000:11:00.0","SANDBOXRDMADEVNAME":"mlx5_1"})", 0600));
  check_well(
      Attachments(node.fake.host, node.deadline(), node.log).detach_rdma(request.key, node.pod));
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "host");
  CHECK_FALSE(fs::exists(file));
  must(node.detach(request.key));
  CHECK(node.standing() == before);
}

TEST_CASE("The cache of an rdma-cni that still has to bring its device back is left alone") {
  Node node;
  auto request = node.request(kContainer);
  request.rdma = RdmaUse::off;
  must(node.attach(request));
  must(node.fake.host.rdma.move("mlx5_1", must(node.fake.host.netns.open(node.pod)).fd()));
  const auto folder = node.fake.host.roots.cni_cache + "/rdma";
  must(host::make_directories(folder, 0700));
  const auto file = fmt::format("{}/rail0-{}-net1", folder, kContainer);
  must(host::write_file_atomically(
      file, R"({"deviceID":"0000:11:00.0","sandboxRdmaDevName":"mlx5_1"})", 0600));
  check_well(node.detach_all(request.key, node.pod, Predecessor::sriov_cni));
  CHECK(fs::exists(file));
}

TEST_CASE("A VF of a userspace driver: what its PF keeps is given back") {
  Swapped node;
  // Back in the host, as it is when the VF was given to vfio-pci.
  check_well(node.del(node.pod));
  fs::rename(node.cache + ".taken", node.cache);
  node.write_cache("");
  const auto driver = node.fake.host.roots.sysfs + "/bus/pci/devices/0000:11:00.0/driver";
  fs::remove(driver);
  fs::create_symlink("../../../../bus/pci/drivers/vfio-pci", driver);
  const auto pf = must(node.fake.host.links.by_name("p0")).index;
  must(node.fake.host.links.change_vf(pf, 0, {.vlan = host::VfVlan{100, 3, 0x8100}}));
  check_well(node.del(""));
  CHECK(node.fake.vf(kVf).vlan == host::VfVlan{0, 0, 0x8100});
  CHECK(node.records() == 0);
}

TEST_CASE("A cache that cannot be read: nothing is done, and DEL succeeds") {
  Swapped node;
  const auto write = [&](const std::string& text) {
    must(host::write_file_atomically(node.cache, text, 0600));
  };
  SECTION("no JSON") { write(std::string("\xff\0{", 3)); }
  SECTION("empty") { write(""); }
  SECTION("a list") { write("[]"); }
  SECTION("no device") { write(R"({"OrigVfState":{}})"); }
  SECTION("no state") { write(R"({"deviceID":"0000:11:00.0"})"); }
  SECTION("deep") { write(std::string(100'000, '[')); }
  SECTION("large") { write(std::string(2 << 20, ' ')); }
  SECTION("a link") {
    fs::remove(node.cache);
    must(host::write_file_atomically(node.cni + "/elsewhere", fmt::format(kCache, "p0v0", "", ""),
                                     0600));
    fs::create_symlink(node.cni + "/elsewhere", node.cache);
  }
  check_well(node.del(node.pod));
  node.check_untouched();
}

TEST_CASE("A device that is another's by now is not touched") {
  Swapped node;
  bool cache_stays = false;
  SECTION("by our own records") {
    node.fake.delete_netns("pod0");
    fs::rename(node.cache, node.cni + "/kept");
    node.pod = node.fake.add_netns("pod1");
    must(node.attach(node.request("c1")));
    fs::rename(node.cni + "/kept", node.cache);
    const auto held = node.standing();
    check_well(node.del(""));
    CHECK(node.standing() == held);
    CHECK_FALSE(fs::exists(node.cache));
    return;
  }
  SECTION("by a later cache of sriov-cni's") {
    const auto later = node.cni + "/sriov/" + std::string(64, 'f') + "-net1";
    must(host::write_file_atomically(later, must(host::read_file(node.cache)), 0600));
    const auto now = fs::last_write_time(node.cache);
    fs::last_write_time(later, now + std::chrono::seconds(1));
    check_well(node.del(""));
    CHECK(fs::exists(later));
  }
  SECTION("as it was made before the boot") {
    must(host::write_file_atomically(node.fake.host.roots.proc + "/stat",
                                     "cpu 1 2 3\nbtime 1600000000\nprocesses 7\n", 0600));
    fs::last_write_time(node.cache,
                        fs::file_time_type(std::chrono::file_clock::from_sys(
                            std::chrono::sys_seconds(std::chrono::seconds(1500000000)))));
    check_well(node.del(node.pod));
  }
  SECTION("as it no longer exists") {
    node.fake.kernel.remove_vf(kVf);
    check_well(node.del(node.pod));
  }
  SECTION("another type's DEL does not look") {
    check_well(node.del(node.pod, Predecessor::none));
    check_well(node.del(node.pod, Predecessor::rdma_cni));
    cache_stays = true;
  }
  node.check_untouched(cache_stays);
}

TEST_CASE("What host-device attached goes back to the host under the name that its alias keeps") {
  Node node;
  auto* nic = node.fake.link("host", "p0v1");
  nic->flags &= ~1U;
  const auto before = node.standing();
  const auto netns = must(node.fake.host.netns.open(node.pod));
  must(node.fake.host.links.change(nic->index, {.netns_fd = netns.fd(), .name = "net1"}));
  const auto links = must(node.fake.host.netns.links(netns));
  const auto index = must(links->by_name("net1")).index;
  host::LinkChange change;
  change.alias = "p0v1";
  change.up = true;
  const auto set_alias = [&](const std::string& alias) {
    change.alias = alias;
    must(links->change(index, change));
    node.fake.operations.clear();
  };
  SECTION("its name is free") {
    set_alias("p0v1");
    check_well(node.detach_all(kKey, node.pod, Predecessor::host_device));
    CHECK(node.standing() == before);
    check_well(node.detach_all(kKey, node.pod, Predecessor::host_device));
    CHECK(node.standing() == before);
  }
  SECTION("its name is taken") {
    set_alias("p0v0");
    check_well(node.detach_all(kKey, node.pod, Predecessor::host_device));
    const auto* back = node.fake.link("host", "rh011001");
    REQUIRE(back);
    CHECK(back->alias.empty());
    CHECK_FALSE(back->is_up());
    CHECK(node.records() == 0);
  }
  SECTION("its alias is no name") {
    set_alias("../eth0");
    check_well(node.detach_all(kKey, node.pod, Predecessor::host_device));
    CHECK(node.fake.operations.empty());
  }
  SECTION("it is another type's DEL") {
    set_alias("p0v1");
    check_well(node.detach_all(kKey, node.pod, Predecessor::sriov_cni));
    CHECK(node.fake.operations.empty());
  }
  SECTION("DEL names the host's own namespace") {
    set_alias("p0v1");
    node.fake.link("host", "p0v0")->alias = "eth9";
    const auto here = must(node.fake.host.netns.current());
    check_well(node.detach_all({"rail0", "c0", "p0v0"}, here.path(), Predecessor::host_device));
    CHECK(node.fake.operations.empty());
  }
}

namespace {

// A node whose pod ib-sriov-cni has attached, with a GUID and rdmaIsolation.
struct SwappedIb : Node {
  std::string cache = fmt::format("{}/ib-sriov/{}-net1", fake.host.roots.cni_cache, kContainer);
  std::string before;

  // `given`: it was given a GUID, too.
  explicit SwappedIb(bool isolated, bool is_given = true) : Node({.vfs = 17, .infiniband = true}) {
    if (!isolated) fake.kernel.rdma_mode = host::RdmaNetnsMode::shared;
    auto* link = fake.link("host", "p0v0");
    link->flags = 0x1000;  // IFF_MULTICAST, as each IPoIB netdev
    // It keeps the port's GUID alone, and gives both back by that.
    auto& vf = fake.kernel.pfs.front()->vfs.front();
    vf.own_node_guid = vf.own_port_guid;
    vf.attributes.node_guid = vf.own_port_guid;
    for (const auto& device : fake.kernel.rdma) {
      if (device->function == kVf) device->device.node_guid = vf.own_port_guid;
    }
    for (const auto* name : {"net1", "rail0"}) {
      must(fake.host.links.remove_alt_name(link->index, name));
    }
    before = standing();
    must(host::make_directories(fake.host.roots.cni_cache + "/ib-sriov", 0700));
    must(host::write_file_atomically(cache, cache_text(isolated, is_given), 0600));
    if (is_given) give_guid();
    const auto netns = must(fake.host.netns.open(pod));
    if (isolated) must(fake.host.rdma.move("mlx5_1", netns.fd()));
    const auto index =
        must(fake.host.links.by_parent(kVf.to_string(), host::LinkLayer::infiniband)).index;
    must(fake.host.links.change(index, {.netns_fd = netns.fd(), .name = "net1", .up = true}));
    fake.operations.clear();
  }

  void give_guid() {
    const Guid given{0x0200000000000011};
    const auto pf = must(fake.host.links.by_name("p0")).index;
    must(fake.host.links.change_vf(pf, 0, {.node_guid = given}));
    must(fake.host.links.change_vf(pf, 0, {.port_guid = given}));
    must(fake.host.functions.unbind(kVf, "mlx5_core", std::chrono::seconds{1}));
    must(fake.host.functions.bind(kVf, "mlx5_core", std::chrono::seconds{1}));
  }

  // As ib-sriov-cni writes it.
  std::string cache_text(bool isolated, bool is_given) {
    const auto address = fake.link("host", "p0v0")->address.to_string();
    return fmt::format(
        R"({{"cniVersion":"0.3.1","name":"rail0","type":"ib-sriov","ipam":{{}},"Master":"p0",
          "deviceID":"0000:11:00.0","VFID":0,"HostIFNames":"p0v0","HostIFGUID":"{}",
          "ContIFNames":"net1","pkey":"","rdmaIsolation":{},"RdmaNetState":{},
          "runtimeConfig":{{"infinibandGUID":"{}"}},"args":{{"cni":null}}}})",
        is_given ? address.substr(address.size() - 23) : "", isolated,
        isolated
            ? R"({"version":"1.0","deviceID":"0000:11:00.0","sandboxRdmaDevName":"mlx5_1","containerRdmaDevName":"mlx5_1"})"
            : R"({"version":"","deviceID":"","sandboxRdmaDevName":"","containerRdmaDevName":""})",
        is_given ? "02:00:00:00:00:00:00:11" : "");
  }
};

}  // namespace

TEST_CASE("What ib-sriov-cni attached is given back with its port's GUID, by its own cache") {
  SwappedIb node(GENERATE(true, false));
  const bool is_gone = GENERATE(false, true);
  if (is_gone) node.fake.delete_netns("pod0");
  check_well(node.detach_all(kKey, is_gone ? "" : node.pod, Predecessor::ib_sriov_cni));
  CHECK(node.records() == 0);
  CHECK(fs::exists(node.cache + ".taken"));
  CHECK(node.fake.link("host", "p0v0"));
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "host");
  CHECK(node.standing() == node.before);
}

TEST_CASE("Where ib-sriov-cni gave no GUID none is insisted on, nor a link state written") {
  SwappedIb node(GENERATE(true, false), false);
  const auto pf = must(node.fake.host.links.by_name("p0")).index;
  must(node.fake.host.links.change_vf(pf, 0, {.link_state = host::VfLinkState::disable}));
  // Its namespace ends in the kernel's own time: the netdev is seen nowhere at first.
  node.fake.delete_netns_later("pod0", 4);
  check_well(node.detach_all(kKey, "", Predecessor::ib_sriov_cni));
  CHECK(node.records() == 0);
  CHECK(node.fake.link("host", "p0v0"));
  CHECK(node.fake.vf(kVf).link_state == host::VfLinkState::disable);
  for (const auto& operation : node.fake.operations) {
    CHECK(operation.find("unbind") == std::string::npos);
  }
}

TEST_CASE("ib-sriov-cni's cache is read as Go reads it") {
  const auto cache = must(read_ib_sriov_cache(
      R"({"name":"n","deviceID":"0000:3b:00.2","HostIFNames":"","HostIFGUID":"","args":{"cni":null}})"));
  CHECK(cache.host_name.empty());
  CHECK_FALSE(cache.before.port_guid);
  CHECK_FALSE(cache.before.link_state);
  CHECK_FALSE(cache.rdma);
  // A userspace driver's VF: what it was given is known, and not what it had.
  const auto user = must(read_ib_sriov_cache(
      R"({"name":"n","deviceID":"0000:3b:00.2","link_state":"enable","RdmaNetState":{"sandboxRdmaDevName":"a/b"},
          "runtimeConfig":{"infinibandGUID":"02:00:00:00:00:00:00:11"}})"));
  CHECK(user.before.port_guid == Guid{});
  CHECK(user.before.link_state == host::VfLinkState::automatic);
  CHECK_FALSE(user.rdma);
  for (const auto* bad :
       {R"({"name":"n","deviceID":"x"})", R"({"name":"n/","deviceID":"0000:3b:00.2"})",
        R"({"name":"n","deviceID":"0000:3b:00.2","HostIFGUID":"g"})",
        R"({"name":"n","deviceID":"0000:3b:00.2","HostIFNames":"a/b"})", "[]", ""}) {
    CHECK(is(read_ib_sriov_cache(bad), ErrorCode::decode));
  }
}

TEST_CASE("sriov-cni's cache is read as Go reads it, and only what a VF can have") {
  const auto whole = fmt::format(kCache, "p0v0", "00:00:00:00:00:00", "02:00:00:00:10:00");
  const auto cache = must(read_sriov_cache(whole));
  CHECK(cache.network == "rail0");
  CHECK(cache.device == device::DeviceId(kVf));
  CHECK(cache.host_name == "p0v0");
  CHECK(cache.address == HwAddress::parse("02:00:00:00:10:00"));
  CHECK(cache.mtu == 1500);
  CHECK(cache.before.mac == HwAddress::parse("00:00:00:00:00:00"));
  CHECK(cache.before.vlan == host::VfVlan{0, 0, 0x8100});
  CHECK(cache.before.rate == host::VfRate{0, 0});
  CHECK(cache.before.spoofchk == true);
  CHECK(cache.before.trust == false);
  CHECK(cache.before.link_state == host::VfLinkState::automatic);

  // Version 2.0 kept less.
  const auto old = must(read_sriov_cache(
      R"({"DEVICEID":"0000:11:00.0","origvfstate":{"hostifname":"p0v0","EffectiveMAC":"02:00:00:00:10:00","Vlan":5}})"));
  CHECK(old.before == host::VfAttributes{.vlan = host::VfVlan{5, 0, 0x8100}});
  CHECK_FALSE(old.mtu);

  for (const auto* wrong :
       {R"("Vlan":4096)", R"("Vlan":-1)", R"("Vlan":"7")", R"("VlanQoS":8)", R"("VlanProto":5)",
        R"("MaxTxRate":4294967296)", R"("LinkState":3)", R"("AdminMAC":"x")", R"("Trust":"on")",
        R"("MTU":4294967296)", R"("HostIFName":"../x")", R"("EffectiveMAC":"")"}) {
    INFO(wrong);
    const auto text = whole.substr(0, whole.find("\"LinkState\"")) + wrong + "}," +
                      whole.substr(whole.find("\"Master\""));
    CHECK(is(read_sriov_cache(text), ErrorCode::decode));
  }
  auto elsewhere = whole;
  elsewhere.replace(elsewhere.find("rail0"), 5, "../../rail0");
  CHECK(is(read_sriov_cache(elsewhere), ErrorCode::decode));
  CHECK(is(read_rdma_cache(R"({"deviceID":"0000:11:00.0"})"), ErrorCode::decode));
  CHECK(is(read_rdma_cache(R"({"deviceID":"0000:11:00.0","sandboxRdmaDevName":"a/b"})"),
           ErrorCode::decode));
}
