// A process that is killed may have done any part of its work: whatever it was, a DEL, or the next
// pod's ADD, gives everything back. Killed is before each call that changes the kernel's state; the
// calls that change files are killed in the VM (test/vm/suites/kill_points.sh).
#include <filesystem>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "attach/attachments.hpp"
#include "attach/transaction.hpp"
#include "test/support/fake_host.hpp"
#include "test/support/fake_standing.hpp"
#include "test/support/must.hpp"

using namespace railhead;
using namespace railhead::attach;
using namespace railhead::test;

namespace {

enum class What {
  vf,
  two_vfs,
  two_rdma_devices,
  user_vf,
  whole_nic,
  sub_function,
  chained_rdma,
  ib,
  ib_guid,
  ib_chain
};

struct Kind {
  const char* name;
  host::RdmaNetnsMode rdma_mode;
  bool up;         // the VF was up in the host
  bool admin_mac;  // an operator had given it an admin MAC
  What what = What::vf;
  bool reset = false;  // of all that a pod may leave on it
  FakeDriver driver = FakeDriver::mlx5();
};

const PciAddress kDevice = *PciAddress::parse("0000:11:00.0");

host::VfAttributes all_settings() {
  host::VfAttributes vf;
  vf.mac = HwAddress::parse("02:00:00:00:00:aa");
  vf.vlan = host::VfVlan{100, 3, 0x8100};
  vf.rate = host::VfRate{0, 1000};
  vf.spoofchk = false;
  vf.link_state = host::VfLinkState::enable;
  vf.trust = true;
  return vf;
}

// One PF with two VFs and a pod; each ADD and DEL is a process of its own.
struct Node {
  FakeHost fake;
  Kind kind;
  std::string pod = fake.add_netns("pod0");
  Logger log{2, LogLevel::error};
  std::string before;

  explicit Node(const Kind& of) : kind(of) {
    fake.kernel.rdma_mode = kind.rdma_mode;
    fake.add_pf({.vfs = is_ib() ? 17U : 2U, .driver = kind.driver, .infiniband = is_ib()});
    auto* link = fake.link("host", "p0v0");
    must(fake.host.links.add_alt_name(link->index, "net1"));
    must(fake.host.links.add_alt_name(link->index, "rail0"));
    if (kind.admin_mac) fake.give_admin_mac(kDevice, "02:00:00:00:00:07");
    if (kind.up) link->flags |= 1;  // IFF_UP
    if (kind.what == What::two_rdma_devices) fake.kernel.add_rdma(kDevice, "mlx5_7", "roce");
    if (kind.what == What::user_vf) bind_to_vfio();
    if (kind.what == What::sub_function) {
      fake.add_sub_function(*fake.kernel.pfs.front(), 4, "p0s4");
      if (kind.up) fake.link("host", "p0s4")->flags |= 1;  // IFF_UP
    }
    before = standing(fake);
    fake.operations.clear();
  }

  [[nodiscard]] bool is_ib() const { return kind.what >= What::ib; }
  [[nodiscard]] bool is_chain() const {
    return kind.what == What::chained_rdma || kind.what == What::ib_chain;
  }

  void bind_to_vfio() {
    const auto function = fake.host.roots.sysfs + "/bus/pci/devices/0000:11:00.0/";
    for (const char* folder : {"net", "infiniband", "infiniband_verbs", "infiniband_mad"}) {
      std::filesystem::remove_all(function + folder);
    }
    std::filesystem::remove(function + "driver");
    std::filesystem::create_symlink("../../../../bus/pci/drivers/vfio-pci", function + "driver");
    std::erase_if(fake.kernel.links, [](const auto& one) { return one->link.name == "p0v0"; });
  }

  [[nodiscard]] AttachmentKey key(const std::string& container) const {
    return {"rail0", container, "net1"};
  }

  [[nodiscard]] std::vector<AttachRequest> requests(const std::string& container) const {
    AttachRequest request;
    request.key = key(container);
    request.netns_path = pod;
    request.device = kDevice;
    request.settings.vf = all_settings();
    request.reset = kind.reset;
    if (kind.driver.link_state) request.settings.vf.link_state.reset();
    if (kind.what != What::user_vf) request.settings.mtu = 9000;
    if (is_chain()) request.rdma = RdmaUse::off;
    if (kind.what == What::whole_nic) {
      request.kind = KindName::whole_nic;
      request.settings = {};
    }
    if (kind.what == What::sub_function) {
      request.device = {device::DeviceId::Kind::auxiliary, "mlx5_core.sf.4"};
      request.kind = KindName::whole_nic;
      request.settings.vf = {.mac = HwAddress::parse("02:00:00:00:00:aa")};
    }
    if (is_ib()) {
      request.kind = KindName::ib_vf;
      request.settings.vf = {.link_state = host::VfLinkState::enable};
    }
    if (kind.what == What::ib_guid) {
      request.settings.vf.node_guid = Guid{0x0200000000000011};
      request.settings.vf.port_guid = Guid{0x0200000000000012};
    }
    if (kind.what != What::two_vfs) return {request};
    auto second = request;
    second.device = *PciAddress::parse("0000:11:00.1");
    second.key.ifname = "net2";
    second.settings.vf.mac = HwAddress::parse("02:00:00:00:00:ab");
    request.group = second.group = key(container);
    return {second, request};
  }

  Result<void> attach(const std::vector<AttachRequest>& wanted) {
    Transaction transaction(fake.host, deadline(), log);
    auto attached = transaction.attach(wanted);
    if (!attached) return pass(attached);
    for (size_t i = 0; i < attached->size(); ++i) {
      if (!(*attached)[i].has_netdev || wanted[i].kind == KindName::rdma_only) continue;
      auto active = transaction.activate(i, {{*host::IpPrefix::parse("10.1.2.3/24")}, {}});
      if (!active) return active;
    }
    return transaction.commit();
  }

  Result<void> add(const std::string& container) {
    auto done = attach(requests(container));
    if (done && kind.reset) use();
    if (!done || !is_chain()) return done;
    AttachRequest rdma{key(container), pod, kDevice};
    rdma.kind = KindName::rdma_only;
    return attach({rdma});
  }
  // What a pod does that only a reset undoes.
  void use() {
    for (auto& pf : fake.kernel.pfs) pf->vfs.front().hardware_state = "flow rules";
    for (auto& link : fake.kernel.links) {
      if (link->link.name == "net1") link->ethtool = "small rings";
    }
  }
  Result<void> del(const std::string& container) {
    const auto limit = deadline();
    Attachments attachments(fake.host, limit, log);
    for (const bool is_rdma : {true, false}) {
      if (is_rdma && !is_chain()) continue;
      const auto done = is_rdma ? attachments.detach_rdma(key(container), "")
                                : attachments.detach(key(container), "");
      if (done.quarantined) return fail(ErrorCode::internal, "{}", *done.quarantined);
      if (done.error) return Failure(*done.error);
    }
    return {};
  }
  [[nodiscard]] Deadline deadline() const { return {fake.clock, std::chrono::seconds(90), {}}; }

  // Whether `work` was killed before its `point`th change.
  template <class Work>
  bool killed(unsigned point, const Work& work) {
    fake.kill_before(point);
    try {
      must(work());
    } catch (const FakeHost::Killed&) {
      fake.kill_before(0);
      return true;
    }
    fake.kill_before(0);
    return false;
  }
};

const auto kKinds = {
    Kind{"exclusive, down", host::RdmaNetnsMode::exclusive, false, false},
    Kind{"exclusive, up", host::RdmaNetnsMode::exclusive, true, false},
    Kind{"exclusive, up, with an admin MAC", host::RdmaNetnsMode::exclusive, true, true},
    Kind{"shared, up", host::RdmaNetnsMode::shared, true, false},
    Kind{"two VFs in one act", host::RdmaNetnsMode::exclusive, true, false, What::two_vfs},
    Kind{"two RDMA devices", host::RdmaNetnsMode::exclusive, true, false, What::two_rdma_devices},
    Kind{"a userspace driver's", host::RdmaNetnsMode::exclusive, false, true, What::user_vf},
    Kind{"a whole NIC", host::RdmaNetnsMode::exclusive, true, false, What::whole_nic},
    Kind{"a sub-function", host::RdmaNetnsMode::exclusive, true, false, What::sub_function},
    Kind{"a sub-function, shared", host::RdmaNetnsMode::shared, false, false, What::sub_function},
    Kind{"a chain with rdma", host::RdmaNetnsMode::exclusive, true, false, What::chained_rdma},
    Kind{"reset", host::RdmaNetnsMode::exclusive, true, false, What::vf, true},
    Kind{"reset, with an admin MAC", host::RdmaNetnsMode::shared, false, true, What::vf, true},
    Kind{"reset, two RDMA devices", host::RdmaNetnsMode::exclusive, true, false,
         What::two_rdma_devices, true},
    Kind{"reset of a userspace driver's", host::RdmaNetnsMode::exclusive, false, true,
         What::user_vf, true},
    Kind{"ice, up", host::RdmaNetnsMode::exclusive, true, false, What::vf, false,
         FakeDriver::ice()},
    Kind{"ice, down, reset", host::RdmaNetnsMode::exclusive, false, false, What::vf, true,
         FakeDriver::ice()},
    Kind{"igb, up", host::RdmaNetnsMode::exclusive, true, false, What::vf, false,
         FakeDriver::igb()},
    Kind{"InfiniBand", host::RdmaNetnsMode::exclusive, true, false, What::ib},
    Kind{"InfiniBand, shared", host::RdmaNetnsMode::shared, false, false, What::ib},
    Kind{"InfiniBand with a GUID", host::RdmaNetnsMode::exclusive, true, false, What::ib_guid},
    Kind{"InfiniBand with a GUID, shared", host::RdmaNetnsMode::shared, true, false, What::ib_guid},
    Kind{"InfiniBand in a chain with rdma", host::RdmaNetnsMode::exclusive, true, false,
         What::ib_chain},
    Kind{"InfiniBand, reset", host::RdmaNetnsMode::exclusive, false, false, What::ib, true},
    Kind{"reset in a chain with rdma", host::RdmaNetnsMode::exclusive, true, false,
         What::chained_rdma, true},
};

}  // namespace

TEST_CASE("An ADD that was killed anywhere is undone by its DEL, and by the next pod's ADD") {
  const auto kind = GENERATE(values(kKinds));
  INFO(kind.name);
  unsigned point = 1;
  for (bool reached = true; reached; ++point) {
    INFO("killed before change " << point);
    Node node(kind);
    reached = node.killed(point, [&] { return node.add("c0"); });
    must(node.del("c0"));
    CHECK(standing(node.fake) == node.before);

    Node next(kind);
    std::ignore = next.killed(point, [&] { return next.add("c0"); });
    next.fake.delete_netns("pod0");
    next.pod = next.fake.add_netns("pod1");
    must(next.add("c1"));
    must(next.del("c0"));  // the old one's, late: it changes nothing of the new one's
    if (kind.what != What::user_vf) CHECK(next.fake.link("pod1", "net1"));
    must(next.del("c1"));
    CHECK(standing(next.fake) == next.before);
  }
  Node whole(kind);
  must(whole.add("c0"));
  CHECK(point - 2 == whole.fake.operations.size());  // each of its changes was one of the points
}

TEST_CASE("A DEL that was killed anywhere is taken up by the next one, with and without the pod") {
  const auto kind = GENERATE(values(kKinds));
  const bool pod_lives = GENERATE(true, false);
  INFO(kind.name << ", the pod " << (pod_lives ? "lives" : "is gone"));
  unsigned first = 1;
  for (bool reached = true; reached; ++first) {
    unsigned second = 1;
    for (bool again = true; again; ++second) {
      INFO("killed before change " << first << ", then before change " << second);
      Node node(kind);
      must(node.add("c0"));
      if (!pod_lives) node.fake.delete_netns("pod0");
      reached = node.killed(first, [&] { return node.del("c0"); });
      again = reached && node.killed(second, [&] { return node.del("c0"); });
      must(node.del("c0"));
      CHECK(standing(node.fake) == node.before);
    }
  }
}
