// The contract of what is left on a link, on this machine's kernel with a veth pair.
#include "test/support/kernel_left_behind.hpp"

namespace railhead::test {
namespace {

class VethLeftBehind final : public KernelLeftBehind {
 public:
  VethLeftBehind() : KernelLeftBehind("va") {}
  ~VethLeftBehind() noexcept(false) override {
    must_run("ip link del vb");
    end_all();
  }
};

}  // namespace

std::unique_ptr<LeftBehindFixture> make_left_behind_fixture() {
  enter_private_netns();
  must_run("ip link add va type veth peer name vb");
  return std::make_unique<VethLeftBehind>();
}

namespace {

// The link "net1" of the pod, and "ra" of another namespace, which has the same ifindex there.
struct SameIndex : LeftBehind {
  SameIndex() {
    must(elsewhere.run([&]() -> Result<void> {
      must_run(fmt::format("ip link add ra index {} type veth peer name rb", index));
      return {};
    }));
  }
  AttachedProgram attach_xdp(const host::Netns& where) {
    std::optional<AttachedProgram> attached;
    must(where.run([&]() -> Result<void> {
      attached = must(attach_bpf_program(index, {.held_by_link = true}));
      return {};
    }));
    return std::move(*attached);
  }
  UniqueFd link_elsewhere(const UniqueFd& program) {
    UniqueFd link;
    must(elsewhere.run([&]() -> Result<void> {
      link = must(link_xdp_program(index, program));
      return {};
    }));
    return link;
  }
  std::optional<host::XdpPrograms> xdp_elsewhere() {
    return must(must(fixture->netns().links(elsewhere))->by_index(index)).xdp;
  }

  host::Netns elsewhere = must(fixture->netns().open(fixture->add_netns("elsewhere")));
};

}  // namespace

TEST_CASE("An XDP program in the driver is taken off inside the pod, too") {
  LeftBehind l;
  l.attach({.hook = FakeProgram::Hook::xdp_driver, .held_by_link = true});
  REQUIRE(l.now().xdp);
  CHECK(l.now().xdp->driver);
  CHECK_FALSE(l.now().xdp->generic);
  CHECK(must(l.inside->detach_programs(l.index)) == 1);
  CHECK_FALSE(l.now().xdp);
}

TEST_CASE("A program on a link with the same ifindex in another namespace stays there") {
  SameIndex l;
  const auto other = l.attach_xdp(l.elsewhere);
  CHECK(must(l.inside->detach_programs(l.index)) == 0);
  const auto own = l.attach_xdp(l.pod);
  CHECK(must(l.inside->detach_programs(l.index)) == 1);
  CHECK_FALSE(l.now().xdp);
  CHECK(l.xdp_elsewhere() == host::XdpPrograms{.generic = other.id});
}

TEST_CASE("One program on two such links is left where it is: which is which cannot be told") {
  SameIndex l;
  const auto own = l.attach_xdp(l.pod);
  {
    const auto other = l.link_elsewhere(own.program);
    auto refused = l.inside->detach_programs(l.index);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().os_errno == EBUSY);
    CHECK(l.now().xdp);
    CHECK(l.xdp_elsewhere());
  }
  CHECK(must(l.inside->detach_programs(l.index)) == 1);
  CHECK_FALSE(l.now().xdp);
}

}  // namespace railhead::test
