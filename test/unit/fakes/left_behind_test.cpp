// The contract of what is left on a link, on the fakes, and what only they do.
#include "test/support/fake_host.hpp"
#include "test/support/left_behind_contract.hpp"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;

class FakeLeftBehind final : public LeftBehindFixture {
 public:
  FakeLeftBehind() { fake_.add_pf(); }
  ~FakeLeftBehind() noexcept(false) override = default;
  host::NetNamespaces& netns() override { return fake_.host.netns; }
  host::Links& links() override { return fake_.host.links; }
  uint32_t link() override { return fake_.link("host", "p0v0")->index; }
  std::string add_netns(const std::string& name) override { return fake_.add_netns(name); }
  void unlink_netns(const std::string& name) override { fake_.unlink_netns(name); }
  void end_netns(const std::string& name) override { fake_.end_netns(name); }
  std::vector<std::string> kinds() override { return {"vlan", "macvlan", "ipvlan"}; }
  void add_stacked(const host::Netns& where, uint32_t lower, const std::string& kind,
                   const std::string& name) override {
    auto& kernel = fake_.kernel;
    kernel.add_stacked(*must(kernel.find(where.id().inode, lower)), kind, name);
  }
  Result<void> attach_program(const host::Netns& where, uint32_t index,
                              const FakeProgram& program) override {
    auto& kernel = fake_.kernel;
    kernel.attach_program(*must(kernel.find(where.id().inode, index)), program);
    return {};
  }

 private:
  FakeHost fake_;
};

// A VF in a pod's namespace.
struct InPod {
  InPod() {
    fake.add_pf({.driver = FakeDriver::igb()});
    auto pod = must(fake.host.netns.open(fake.add_netns("pod0")));
    id = pod.id();
    must(fake.host.links.change(fake.link("host", "p0v0")->index,
                                {.netns_fd = pod.fd(), .name = "net1"}));
    must(fake.host.rdma.move("mlx5_1", pod.fd()));
  }
  FakeHost fake;
  host::NetnsId id;
};

}  // namespace

std::unique_ptr<LeftBehindFixture> make_left_behind_fixture() {
  return std::make_unique<FakeLeftBehind>();
}

TEST_CASE("A namespace that dies slowly gives its devices back after some calls") {
  InPod f;
  f.fake.delete_netns_later("pod0", 2);
  CHECK(is(f.fake.host.netns.find(f.id), ErrorCode::not_found));
  CHECK_FALSE(f.fake.host.links.by_parent("0000:11:00.0"));
  CHECK(f.fake.host.links.by_parent("0000:11:00.0"));
  CHECK(f.fake.netns_of_rdma("mlx5_1") == "host");
}

TEST_CASE("A namespace that dies slowly gives its devices back when the time has come") {
  InPod f;
  f.fake.delete_netns_later("pod0", 1000, 2s);
  CHECK_FALSE(f.fake.link("host", "net1"));
  f.fake.clock.sleep(1s);
  CHECK_FALSE(f.fake.link("host", "net1"));
  f.fake.clock.sleep(1s);
  CHECK(f.fake.link("host", "net1"));
  CHECK(host::Directory::open(f.fake.host.roots.sysfs + "/bus/pci/devices/0000:11:00.0/net/net1"));
}

TEST_CASE("What stands on a VF dies with its namespace while the VF comes back") {
  InPod f;
  f.fake.add_stacked("pod0", "net1", "vlan", "net1.5");
  f.fake.add_stacked("pod0", "net1.5", "macvlan", "mv0");
  f.fake.delete_netns("pod0");
  REQUIRE(f.fake.link("host", "net1"));
  CHECK_FALSE(f.fake.link("host", "net1")->lower_index);
  CHECK(f.fake.kernel.links.size() == 3);  // lo, the PF, the VF
}

TEST_CASE("A VF that vanishes while it moves takes its function with it, and what stands on it") {
  InPod f;
  f.fake.add_stacked("pod0", "net1", "vlan", "net1.5");
  f.fake.kernel.vanishes_when_moved = PciAddress::parse("0000:11:00.0");
  auto inside = must(f.fake.host.netns.links(must(f.fake.host.netns.find(f.id))));
  const auto index = f.fake.link("pod0", "net1")->index;
  auto home = must(f.fake.host.netns.current());
  CHECK(inside->change(index, {.netns_fd = home.fd()}).error().os_errno == ENODEV);
  CHECK(inside->by_index(index).error().os_errno == ENODEV);
  CHECK_FALSE(f.fake.link("pod0", "net1.5"));
  CHECK(f.fake.host.links.by_parent("0000:11:00.0").error().os_errno == ENODEV);
  CHECK(f.fake.netns_of_rdma("mlx5_1").empty());
  const auto devices = f.fake.host.roots.sysfs + "/bus/pci/devices/";
  CHECK(is(host::Directory::open(devices + "0000:11:00.0"), ErrorCode::not_found));
  CHECK(is(must(host::Directory::open(devices + "0000:10:00.0")).link("virtfn0"),
           ErrorCode::not_found));
  CHECK(f.fake.host.links.vf(f.fake.link("host", "p0")->index, 0).error().os_errno == ENODEV);
}

TEST_CASE("igb takes no rate, not even none, while its PF has no carrier") {
  InPod f;
  auto* pf = f.fake.link("host", "p0");
  pf->carrier = false;
  const host::VfAttributes no_limit{.rate = host::VfRate{}};
  CHECK(f.fake.host.links.change_vf(pf->index, 0, no_limit).error().os_errno == EINVAL);
  pf->carrier = true;
  CHECK(f.fake.host.links.change_vf(pf->index, 0, no_limit));
}

TEST_CASE("An XDP program in the driver is taken off inside the pod, too") {
  LeftBehind l;
  l.attach({.hook = FakeProgram::Hook::xdp_driver, .held_by_link = true});
  REQUIRE(l.now().xdp);
  CHECK(l.now().xdp->driver);
  CHECK_FALSE(l.now().xdp->generic);
  CHECK(must(l.inside->detach_programs(l.index)) == 1);
  CHECK_FALSE(l.now().xdp);
}

TEST_CASE("The fakes record the taking off of programs only where there were some") {
  InPod f;
  f.fake.operations.clear();
  auto inside = must(f.fake.host.netns.links(must(f.fake.host.netns.find(f.id))));
  const auto index = f.fake.link("pod0", "net1")->index;
  CHECK(must(inside->detach_programs(index)) == 0);
  CHECK(f.fake.operations.empty());
  f.fake.attach_program("pod0", "net1", {.hook = FakeProgram::Hook::tcx_egress, .id = 7});
  CHECK(f.fake.programs("pod0", "net1").size() == 1);
  CHECK(must(inside->detach_programs(index)) == 1);
  CHECK(f.fake.operations == std::vector<std::string>{"pod0: detach_programs net1"});
  CHECK(f.fake.programs("pod0", "net1").empty());
}

}  // namespace railhead::test
