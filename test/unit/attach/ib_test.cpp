// InfiniBand VFs: what the move of the RDMA device and a change of GUID make anew.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "test/unit/attach/node.hpp"

using namespace railhead;
using namespace railhead::attach;
using namespace railhead::test;

namespace {

constexpr Guid kAsked{0x0200000000000011};

struct IbNode : Node {
  explicit IbNode(unsigned vfs = 2) : Node({.vfs = vfs, .infiniband = true}) {}

  [[nodiscard]] AttachRequest ib_request(std::optional<Guid> guid = {}) const {
    auto request = this->request();
    request.kind = KindName::ib_vf;
    request.settings = {};
    request.settings.vf.node_guid = request.settings.vf.port_guid = guid;
    return request;
  }
  // How often the driver was taken off.
  [[nodiscard]] auto rebinds() const {
    return std::ranges::count_if(fake.operations, [](const std::string& operation) {
      return operation.find("unbind") != std::string::npos;
    });
  }
};

}  // namespace

TEST_CASE("An InfiniBand VF comes with the netdev that its RDMA device's move made anew") {
  IbNode node(17);  // whose PF tells of no VF any more
  const auto before = node.standing();
  const auto attached = must(node.attach(node.ib_request()));
  REQUIRE(node.fake.link("pod0", "net1"));
  CHECK(attached.mac == node.fake.link("pod0", "net1")->address);
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "pod0");
  must(node.activate({}));
  must(node.check(node.ib_request().key));
  CHECK(node.rebinds() == 0);
  SECTION("its DEL comes") { must(node.detach(node.ib_request().key)); }
  SECTION("its namespace is gone") {
    node.fake.delete_netns("pod0");
    must(node.detach(node.ib_request().key));
  }
  CHECK(node.standing() == before);
}

TEST_CASE("A GUID is given by the PF, comes into force with the driver, and goes again") {
  const auto mode = GENERATE(host::RdmaNetnsMode::exclusive, host::RdmaNetnsMode::shared);
  IbNode node(17);
  node.fake.kernel.rdma_mode = mode;
  const auto before = node.standing();
  const auto request = node.ib_request(kAsked);
  const auto attached = must(node.attach(request));
  CHECK(attached.mac->to_string().ends_with("02:00:00:00:00:00:00:11"));
  CHECK(must(node.fake.host.rdma.list()).size() ==
        (mode == host::RdmaNetnsMode::exclusive ? 17U : 18U));
  CHECK(node.rebinds() == 1);
  must(node.activate({}));
  must(node.check(request.key));
  must(node.detach(request.key));
  CHECK(node.rebinds() == 2);
  CHECK(node.standing() == before);
}

TEST_CASE("Of a pool each VF gets a GUID that no other has, and the next one after its DEL") {
  IbNode node(4);
  const GuidRange pool{Guid{0x0200000000000100}, Guid{0x0200000000000102}};
  const auto before = node.standing();
  const auto request = [&](unsigned number) {
    auto one = node.ib_request();
    one.settings.guid_pool = pool;
    one.key.ifname = fmt::format("rail{}", number + 5);
    one.device = PciAddress{0, 0x11, 0, static_cast<uint8_t>(number)};
    return one;
  };
  // Two in one act and one alone.
  const auto both = must(node.attach_all({request(0), request(1)}));
  auto third = request(2);
  third.key.container_id = "c2";
  must(node.attach(third));
  std::set<uint64_t> given;
  for (const auto& record : must(node.store().list()).records) {
    CHECK(record.vf->asked.node_guid == record.vf->asked.port_guid);
    given.insert(record.vf->asked.port_guid->value);
  }
  CHECK(given == std::set<uint64_t>{0x0200000000000100, 0x0200000000000101, 0x0200000000000102});
  const auto in_pod = node.fake.link("pod0", "rail5")->address.to_string();
  CHECK(in_pod.find("02:00:00:00:00:00:01:0") != std::string::npos);

  auto fourth = request(3);
  fourth.key.container_id = "c3";
  const auto refused = node.attach(fourth);
  REQUIRE(is(refused, ErrorCode::unavailable));
  CHECK(refused.error().message.find("all its 3 GUIDs are given") != std::string::npos);
  must(node.detach(third.key));
  must(node.attach(fourth));
  must(node.detach(fourth.key));
  for (unsigned i = 0; i < 2; ++i) must(node.detach(request(i).key));
  CHECK(node.standing() == before);
}

TEST_CASE("A GUID of a pool is none that a VF of the node has or is to get back") {
  IbNode node(3);
  const auto own = [&](unsigned n) {
    return node.fake.kernel.pfs.front()->vfs[n].own_port_guid.value;
  };
  // The first VF's own, the second's, and one more.
  const uint64_t first = own(0);
  REQUIRE(own(1) == first + 1);
  auto plain = node.ib_request();
  plain.device = PciAddress{0, 0x11, 0, 1};
  plain.key = {"rail0", "c1", "rail7"};
  must(node.attach(plain));  // with its own GUID, in the pod now
  auto request = node.ib_request();
  request.settings.guid_pool = GuidRange{Guid{first}, Guid{first + 3}};
  must(node.attach(request));
  CHECK(must(node.store().load(request.key))->vf->asked.port_guid == Guid{first + 3});
}

TEST_CASE("A GUID that a living pod was given is refused to another") {
  IbNode node(3);
  must(node.attach(node.ib_request(kAsked)));
  auto other = node.ib_request(kAsked);
  other.device = PciAddress{0, 0x11, 0, 1};
  other.key = {"rail0", "c1", "rail7"};
  const auto refused = node.attach(other);
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK(refused.error().message.find("02:00:00:00:00:00:00:11 is that of net1") !=
        std::string::npos);
  // Its pod is gone, and its DEL did not come yet.
  node.fake.delete_netns("pod0");
  other.netns_path = node.fake.add_netns("pod1");
  CHECK(node.attach(other));
  auto twice = node.ib_request(Guid{0x77});
  auto again = twice;
  twice.device = PciAddress{0, 0x11, 0, 2};
  twice.key.ifname = "rail8";
  twice.netns_path = again.netns_path = other.netns_path;
  CHECK(is(node.attach_all({twice, again}), ErrorCode::invalid_argument));
}

TEST_CASE("A GUID is not given twice while the first one's ADD is at work") {
  IbNode node(3);
  const auto first = node.ib_request(kAsked);
  // Right before its netdev comes to the pod: it is on record, and its lock is held.
  Transaction at_work(node.fake.host, node.deadline(), node.log);
  bool is_tried = false;
  node.fake.kernel.on_rdma_gone = [&] {
    if (std::exchange(is_tried, true)) return;
    auto other = node.ib_request(kAsked);
    other.device = PciAddress{0, 0x11, 0, 1};
    other.key = {"rail0", "c1", "rail7"};
    Transaction second(node.fake.host, node.deadline(), node.log);
    CHECK(is(second.attach(std::vector{other}), ErrorCode::busy));
  };
  must(at_work.attach(std::vector{first}));
  CHECK(is_tried);
}

TEST_CASE("A VF's own GUID, of a pod that asked for none, is refused to another") {
  IbNode node(3);
  must(node.attach(node.ib_request()));
  const auto own = node.fake.kernel.pfs.front()->vfs.front().own_port_guid;
  auto other = node.ib_request(own);
  other.device = PciAddress{0, 0x11, 0, 1};
  other.key = {"rail0", "c1", "rail7"};
  CHECK(is(node.attach(other), ErrorCode::busy));
}

TEST_CASE("A GUID that is asked for goes before the pool, and an Ethernet VF takes none") {
  const GuidRange pool{Guid{0x0200000000000100}, Guid{0x0200000000000102}};
  IbNode node;
  auto request = node.ib_request(kAsked);
  request.settings.guid_pool = pool;
  must(node.attach(request));
  CHECK(must(node.store().load(request.key))->vf->asked.port_guid == kAsked);
  Node ethernet;
  auto other = ethernet.request();
  other.settings.guid_pool = pool;
  must(ethernet.attach(other));
  CHECK_FALSE(must(ethernet.store().load(other.key))->vf->asked.port_guid);
}

TEST_CASE("With a record that cannot be read no GUID of a pool is given") {
  IbNode node;
  must(node.store().prepare());
  std::ofstream(node.store().folder() + "/c9@net1@rail0.json") << "{";
  auto request = node.ib_request();
  request.settings.guid_pool = GuidRange{Guid{1}, Guid{2}};
  const auto refused = node.attach(request);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("which GUIDs of guidPool are free is not known") !=
        std::string::npos);
  CHECK(node.rebinds() == 0);
}

TEST_CASE("A GUID that another attachment has by now is not given back") {
  IbNode node;
  const PciAddress first{0, 0x11, 0, 0};
  const auto pf = node.fake.link("host", "p0")->index;
  const Guid of_pool{0x02000000000000aa};
  must(node.fake.host.links.change_vf(pf, 0, {.node_guid = of_pool, .port_guid = of_pool}));
  must(node.fake.host.functions.unbind(first, "mlx5_core", std::chrono::seconds{1}));
  must(node.fake.host.functions.bind(first, "mlx5_core", std::chrono::seconds{1}));
  must(node.attach(node.ib_request(kAsked)));
  auto other = node.ib_request(of_pool);
  other.device = PciAddress{0, 0x11, 0, 1};
  other.key.container_id = "c1";
  other.key.ifname = "net2";
  const bool is_given_away = GENERATE(true, false);
  if (is_given_away) must(node.attach(other));
  must(node.detach(node.ib_request().key));
  const auto left = node.fake.vf(first).port_guid;
  CHECK((left == of_pool) != is_given_away);
  CHECK(left != kAsked);
}

TEST_CASE("A VF that has the GUID already keeps its driver") {
  IbNode node;
  node.fake.kernel.rdma[1]->device.node_guid = node.fake.kernel.pfs[0]->vfs[0].own_port_guid;
  const auto before = node.standing();
  const auto request = node.ib_request(node.fake.kernel.pfs[0]->vfs[0].own_port_guid);
  must(node.attach(request));
  must(node.detach(request.key));
  CHECK(node.rebinds() == 0);
  node.fake.vf(*request.device.pci()).node_guid = Guid{};  // what the PF gave it is of no account
  CHECK(node.standing() != before);
}

TEST_CASE("CHECK tells of another GUID, and of a VF without one nothing is attached") {
  IbNode node;
  must(node.attach(node.ib_request(kAsked)));
  must(node.activate({}));
  auto* link = node.fake.link("pod0", "net1");
  auto bytes = std::vector<uint8_t>(link->address.bytes().begin(), link->address.bytes().end());
  bytes.back() = 0x77;
  link->address = *HwAddress::from_bytes(bytes);
  const auto wrong = node.check(node.ib_request().key);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().message.find("port GUID is 02:00:00:00:00:00:00:77, not "
                                   "02:00:00:00:00:00:00:11") != std::string::npos);

  IbNode other;
  auto* none = other.fake.link("host", "p0v0");
  std::fill(bytes.begin(), bytes.end(), 0);
  none->address = *HwAddress::from_bytes(bytes);
  const auto refused = other.attach(other.ib_request());
  REQUIRE(is(refused, ErrorCode::invalid_argument));
  CHECK(refused.error().message == "VF 0000:11:00.0 GUID is not valid");
  CHECK(other.fake.operations.empty());
}

TEST_CASE("What cannot be made good is refused before any change") {
  IbNode node;
  auto request = node.ib_request(kAsked);
  std::string why;
  SECTION("a driver that would not come again") {
    must(host::write_file_atomically(
        node.fake.host.roots.sysfs + "/bus/pci/devices/0000:10:00.0/sriov_drivers_autoprobe", "0",
        0644));
    why = "its GUID cannot change: VF 0000:11:00.0 could not be bound to mlx5_core again";
  }
  SECTION("a partition of the host on it") {
    const auto index = node.fake.link("host", "p0v0")->index;
    auto child = *node.fake.link("host", "p0v0");
    child.name = "ib0.8001";
    child.index = 0;
    child.alt_names.clear();
    child.lower_index = index;
    node.fake.kernel.add_link(node.fake.kernel.host_netns, child);
    why = "ib0.8001 stands on 0000:11:00.0 (p0v0)";
  }
  SECTION("an Ethernet VF") {
    node.fake.add_pf({.address = "0000:20:00.0", .netdev = "p1"});
    request.device = *PciAddress::parse("0000:21:00.0");
    why = "none of 0000:20:00.0's is an IPoIB one";
  }
  SECTION("its RDMA device alone") {
    request.kind = KindName::rdma_only;
    request.settings = {};
    why = "rdmaIsolation of ib-sriov moves both";
  }
  const auto refused = node.attach(request);
  REQUIRE_FALSE(refused);
  INFO(refused.error().message);
  CHECK(refused.error().message.find(why) != std::string::npos);
  CHECK(node.fake.operations.empty());
}

TEST_CASE("A userspace driver's VF has its GUID by the PF alone, and none afterwards") {
  IbNode node;
  const auto function = node.fake.host.roots.sysfs + "/bus/pci/devices/0000:11:00.0/";
  for (const char* folder : {"net", "infiniband", "infiniband_verbs", "infiniband_mad"}) {
    std::filesystem::remove_all(function + folder);
  }
  std::filesystem::remove(function + "driver");
  std::filesystem::create_symlink("../../../../bus/pci/drivers/vfio-pci", function + "driver");
  std::erase_if(node.fake.kernel.links, [](const auto& one) { return one->link.name == "p0v0"; });
  const auto request = node.ib_request(kAsked);
  CHECK_FALSE(must(node.attach(request)).has_netdev);
  CHECK(node.fake.vf(*request.device.pci()).port_guid == kAsked);
  must(node.check(request.key));
  must(node.detach(request.key));
  CHECK(node.fake.vf(*request.device.pci()).port_guid == Guid{~uint64_t{0}});
  CHECK(node.rebinds() == 0);
}

TEST_CASE("Whatever step of an InfiniBand ADD fails, everything stands as before") {
  const auto effect = GENERATE(FakeHost::Effect::none, FakeHost::Effect::done);
  for (const char* function : {"change", "change_vf", "move", "unbind", "bind", "list", "by_name",
                               "by_parent", "open", "netns_mode"}) {
    for (unsigned skip = 0;; ++skip) {
      IbNode node;
      const auto before = node.standing();
      INFO(function << " fails at its call " << skip);
      node.fake.fail_next(function, EBUSY, effect, skip);
      const auto attached = node.attach(node.ib_request(kAsked));
      if (node.fake.fails_yet()) break;
      if (attached) must(node.detach(node.ib_request().key));
      CHECK(node.standing() == before);
    }
  }
}

TEST_CASE("What the PF does not take back keeps the device, though nobody can read it there") {
  IbNode node;
  const auto before = node.standing();
  auto request = node.ib_request();
  request.settings.vf.link_state = host::VfLinkState::disable;
  must(node.attach(request));
  node.fake.fail_next("change_vf", EBUSY);
  node.fake.fail_next("change_vf", EBUSY);
  const auto failed = node.detach(request.key);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message.find("failed to set link_state auto") != std::string::npos);
  CHECK(node.records() == 2);
  must(node.detach(request.key));
  CHECK(node.standing() == before);
}

TEST_CASE("A VF whose RDMA device is not seen at this moment is not attached") {
  IbNode node;
  auto& names = node.fake.kernel.rdma[1]->device.name;
  const auto name = std::exchange(names, "renamed");  // as udev does between two looks
  const auto refused = node.attach(node.ib_request(kAsked));
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK(refused.error().message.find("cannot be seen at this moment") != std::string::npos);
  CHECK(node.fake.operations.empty());
  names = name;
  CHECK(node.attach(node.ib_request(kAsked)));
}

TEST_CASE("A former GUID that was none is given back as none, and the pod's does not stay") {
  IbNode node;
  auto& vf = node.fake.kernel.pfs[0]->vfs[0];
  auto* link = node.fake.link("host", "p0v0");
  std::vector<uint8_t> bytes(20);
  bytes[0] = 0x80;
  link->address = *HwAddress::from_bytes(bytes);
  node.fake.kernel.rdma[1]->device.node_guid = {};
  vf.own_node_guid = vf.own_port_guid = {};
  const auto request = node.ib_request(kAsked);
  must(node.attach(request));
  must(node.detach(request.key));
  CHECK(vf.attributes.port_guid == Guid{~uint64_t{0}});
  CHECK(node.rebinds() == 2);
  CHECK(node.records() == 0);
}

TEST_CASE("A driver that could not come again is not taken off for an undo") {
  IbNode node;
  const auto request = node.ib_request(kAsked);
  must(node.attach(request));
  const auto autoprobe =
      node.fake.host.roots.sysfs + "/bus/pci/devices/0000:10:00.0/sriov_drivers_autoprobe";
  must(host::write_file_atomically(autoprobe, "0", 0644));
  const auto failed = node.detach_all(request.key);
  CHECK((failed.error || failed.quarantined));
  CHECK(node.rebinds() == 1);
  CHECK(node.records() == 2);
  must(host::write_file_atomically(autoprobe, "1", 0644));
  must(node.detach(request.key));
  CHECK(node.rebinds() == 2);
}

TEST_CASE("rdma behind it in a chain takes the netdev along, which gets its addresses again") {
  IbNode node;
  const auto before = node.standing();
  auto request = node.ib_request(kAsked);
  request.rdma = RdmaUse::off;
  must(node.attach(request));
  must(node.activate({{*host::IpPrefix::parse("10.1.2.3/24")}, {}}));
  const auto index = node.fake.link("pod0", "net1")->index;
  AttachRequest rdma{request.key, node.pod, request.device};
  rdma.kind = KindName::rdma_only;
  rdma.rdma = RdmaUse::require;
  const auto attached = must(node.attach(rdma));
  CHECK(attached.came_anew);
  CHECK(node.fake.netns_of_rdma("mlx5_1") == "pod0");
  auto* link = node.fake.link("pod0", "net1");
  REQUIRE(link);
  CHECK(link->index != index);
  CHECK(link->address.to_string().ends_with("02:00:00:00:00:00:00:11"));
  must(node.activate({{*host::IpPrefix::parse("10.1.2.3/24")}, {}}));
  must(node.check(request.key));
  CHECK_FALSE(must(node.attach(rdma)).came_anew);  // once is enough
  must(node.check(request.key));
  REQUIRE_FALSE(
      Attachments(node.fake.host, node.deadline(), node.log).detach_rdma(request.key, "").error);
  must(node.detach(request.key));
  CHECK(node.standing() == before);
}
