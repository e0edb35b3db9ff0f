// The contract on the fakes; test/vm/programs/ports.cpp runs it on a kernel.
#include "test/support/links_contract.hpp"

#include "test/support/fake_host.hpp"

namespace railhead::test {
namespace {

class FakeContract final : public ContractFixture {
 public:
  ~FakeContract() noexcept(false) override = default;
  FakeContract() { pf_ = &fake_.add_pf({.vfs = 2, .driver = FakeDriver::igb()}); }
  host::Host& host() override { return fake_.host; }
  PciAddress pf() const override { return pf_->address; }
  PciAddress vf(unsigned index) const override { return pf_->vfs[index].address; }
  std::string add_netns(const std::string& name) override { return fake_.add_netns(name); }
  void delete_netns(const std::string& name) override { fake_.delete_netns(name); }
  void set_rdma_mode(host::RdmaNetnsMode mode) override { fake_.kernel.rdma_mode = mode; }

 private:
  FakeHost fake_;
  FakePf* pf_;
};

}  // namespace

std::unique_ptr<ContractFixture> make_contract_fixture() {
  return std::make_unique<FakeContract>();
}

TEST_CASE("The fakes record what changed and what was refused") {
  FakeHost fake;
  fake.add_pf();
  fake.add_netns("pod0");
  auto pod = must(fake.host.netns.open(fake.folder.path() + "/netns/pod0"));
  fake.fail_next("change_vf", EBUSY);
  auto index = fake.link("host", "p0v0")->index;
  auto pf = fake.link("host", "p0")->index;
  CHECK(fake.host.links.change_vf(pf, 0, {.trust = true}).error().os_errno == EBUSY);
  must(fake.host.links.change(index, {.netns_fd = pod.fd(), .name = "net1", .up = true}));
  must(fake.host.rdma.move("mlx5_1", pod.fd()));
  CHECK(fake.operations == std::vector<std::string>{"host: change_vf p0 0: trust=true -> EBUSY",
                                                    "host: change p0v0: netns=pod0 name=net1 up",
                                                    "host: move mlx5_1: netns=pod0"});
  CHECK(fake.netns_of_rdma("mlx5_1") == "pod0");
  CHECK(fake.link("pod0", "net1")->is_up());
}

TEST_CASE("A failure can be ordered for a later call, and for one that has its effect") {
  FakeHost fake;
  fake.add_pf();
  auto index = fake.link("host", "p0v0")->index;
  fake.fail_next("change", EIO, FakeHost::Effect::done, 1);
  must(fake.host.links.change(index, {.mtu = 1400}));
  CHECK(fake.host.links.change(index, {.mtu = 1300}).error().os_errno == EIO);
  CHECK(fake.link("host", "p0v0")->mtu == 1300);
  must(fake.host.links.change(index, {.mtu = 1200}));
}

TEST_CASE("The fakes' files follow: sysfs shows the host's devices, proc the namespace's") {
  FakeHost fake;
  fake.add_pf();
  auto pod = must(fake.host.netns.open(fake.add_netns("pod0")));
  auto function =
      must(host::Directory::open(fake.host.roots.sysfs + "/bus/pci/devices/0000:11:00.0"));
  CHECK(function.sub("net/p0v0"));
  CHECK(function.sub("infiniband/mlx5_1"));
  must(fake.host.links.change(fake.link("host", "p0v0")->index,
                              {.netns_fd = pod.fd(), .name = "net1"}));
  must(fake.host.rdma.move("mlx5_1", pod.fd()));
  CHECK_FALSE(function.sub("net/p0v0"));
  CHECK_FALSE(function.sub("infiniband/mlx5_1"));
  CHECK(must(function.read("infiniband_verbs/uverbs1/ibdev")) == "mlx5_1");

  const auto accept_ra = fake.host.roots.proc + "/sys/net/ipv6/conf/net1/accept_ra";
  CHECK_FALSE(host::read_file(accept_ra));
  must(fake.host.netns.run(pod, [&] { return host::write_file(accept_ra, "0"); }));
  must(fake.host.netns.run(pod, [&]() -> Result<void> {
    CHECK(must(host::read_file(accept_ra)) == "0");
    return {};
  }));
}

TEST_CASE("A moved RDMA device has other character devices when others took its numbers") {
  FakeHost fake;
  fake.add_pf({.vfs = 2});
  auto pod = must(fake.host.netns.open(fake.add_netns("pod0")));
  fake.kernel.on_rdma_gone = [&] { fake.kernel.taken_char_numbers.insert(1); };
  must(fake.host.rdma.move("mlx5_1", pod.fd()));
  auto function =
      must(host::Directory::open(fake.host.roots.sysfs + "/bus/pci/devices/0000:11:00.0"));
  CHECK(must(function.list("infiniband_verbs")) == std::vector<std::string>{"uverbs3"});
}

}  // namespace railhead::test
