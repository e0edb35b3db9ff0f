#pragma once
// What a pod may leave on a link that was given to it, and what takes it off, as tests that run on
// the fakes and on a real kernel: include this once in a program and define
// make_left_behind_fixture() there.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>

#include <catch2/catch_test_macros.hpp>

#include "host/host.hpp"
#include "test/support/fake_kernel.hpp"
#include "test/support/must.hpp"

namespace railhead::test {

// Two namespaces, one of which stands for the host's, with a link that can move. What a test
// changed is undone when the fixture goes.
class LeftBehindFixture {
 public:
  virtual ~LeftBehindFixture() noexcept(false) = default;  // may fail the test
  [[nodiscard]] virtual host::NetNamespaces& netns() = 0;
  [[nodiscard]] virtual host::Links& links() = 0;  // of the host's namespace
  // The link's ifindex in the host's namespace, where it is, down.
  [[nodiscard]] virtual uint32_t link() = 0;
  virtual std::string add_netns(const std::string& name) = 0;
  // The path goes while a process is in the namespace; end_netns() ends that process.
  virtual void unlink_netns(const std::string& name) = 0;
  virtual void end_netns(const std::string& name) = 0;
  // Kinds that can be stacked on the link, from "vlan", "macvlan", "ipvlan".
  [[nodiscard]] virtual std::vector<std::string> kinds() = 0;
  virtual void add_stacked(const host::Netns& netns, uint32_t lower, const std::string& kind,
                           const std::string& name) = 0;
  // Puts a BPF program on a link of that namespace. `unsupported` where this kernel has no such.
  virtual Result<void> attach_program(const host::Netns& netns, uint32_t index,
                                      const FakeProgram& program) = 0;
};
std::unique_ptr<LeftBehindFixture> make_left_behind_fixture();

// The link in a pod's namespace, as "net1" and up.
struct LeftBehind {
  LeftBehind() {
    must(fixture->links().change(fixture->link(),
                                 {.netns_fd = pod.fd(), .name = "net1", .up = true}));
    index = must(inside->by_name("net1")).index;
  }
  // The link as it is in the host's namespace once it has come back.
  host::Link come_back() {
    must(inside->change(index, {.netns_fd = home.fd(), .name = "back0"}));
    return must(fixture->links().by_name("back0"));
  }
  host::Link now() { return must(inside->by_index(index)); }
  // Skips the test where the kernel has no such programs.
  void attach(const FakeProgram& program) {
    auto attached = fixture->attach_program(pod, index, program);
    if (is(attached, ErrorCode::unsupported)) SKIP(attached.error().message);
    must(attached);
  }

  std::unique_ptr<LeftBehindFixture> fixture = make_left_behind_fixture();
  host::Netns home = must(fixture->netns().current());
  host::Netns pod = must(fixture->netns().open(fixture->add_netns("pod0")));
  std::unique_ptr<host::Links> inside = must(fixture->netns().links(pod));
  uint32_t index = 0;
};

TEST_CASE("What is stacked on a link stays when the link leaves, tells so, and can be removed") {
  for (const auto& kind : make_left_behind_fixture()->kinds()) {
    INFO(kind);
    LeftBehind l;
    l.fixture->add_stacked(l.pod, l.index, kind, "upper0");
    auto upper = must(l.inside->by_name("upper0"));
    CHECK(upper.kind == kind);
    CHECK(upper.lower() == l.index);
    CHECK_FALSE(upper.lower_netns);

    const auto back = l.come_back();
    upper = must(l.inside->by_name("upper0"));
    CHECK(upper.lower_netns);
    CHECK(upper.lower_index == back.index);
    CHECK_FALSE(upper.lower());
    must(l.inside->remove(upper.index));
    CHECK(l.inside->by_name("upper0").error().os_errno == ENODEV);
    CHECK(must(l.fixture->links().by_index(back.index)) == back);
  }
}

TEST_CASE("The loopback cannot be removed, nor what is not there") {
  LeftBehind l;
  const auto lo = must(l.inside->by_name("lo"));
  CHECK(l.inside->remove(lo.index).error().os_errno == EOPNOTSUPP);
  CHECK(l.inside->remove(4711).error().os_errno == ENODEV);
}

TEST_CASE("A link's mode and broadcast address stay over a move and can be set back") {
  LeftBehind l;
  const auto before = l.now();
  const auto other = HwAddress::parse("02:00:00:00:00:99");
  must(l.inside->change(l.index, {.broadcast = other, .link_mode = 1}));
  auto back = l.come_back();
  CHECK(back.broadcast == other);
  CHECK(back.link_mode == 1);
  auto& links = l.fixture->links();
  must(links.change(back.index, {.broadcast = before.broadcast, .link_mode = 0}));
  CHECK(must(links.by_index(back.index)).broadcast == before.broadcast);
  CHECK(must(links.by_index(back.index)).link_mode == 0);
}

TEST_CASE("Promiscuity that was set by flags stays over a move and can be taken off") {
  LeftBehind l;
  CHECK_FALSE(l.now().is_promisc());
  must(l.inside->change(l.index, {.promisc = true, .allmulti = true}));
  CHECK(l.now().is_promisc());
  CHECK(l.now().is_allmulti());
  CHECK(l.now().is_up());
  auto back = l.come_back();
  CHECK(back.is_promisc());
  CHECK(back.is_allmulti());
  auto& links = l.fixture->links();
  must(links.change(back.index, {.promisc = false}));
  CHECK_FALSE(must(links.by_index(back.index)).is_promisc());
  CHECK(must(links.by_index(back.index)).is_allmulti());
  must(links.change(back.index, {.allmulti = false}));
  CHECK_FALSE(must(links.by_index(back.index)).is_allmulti());
}

TEST_CASE("An alias stays over a move, is at most 255 bytes long, and none takes it off") {
  LeftBehind l;
  CHECK(l.now().alias.empty());
  must(l.inside->change(l.index, {.alias = "the pod's own"}));
  CHECK(l.now().alias == "the pod's own");
  auto back = l.come_back();
  CHECK(back.alias == "the pod's own");
  auto& links = l.fixture->links();
  CHECK(links.change(back.index, {.alias = std::string(256, 'x')}).error().os_errno == ERANGE);
  must(links.change(back.index, {.alias = std::string(255, 'x')}));
  CHECK(must(links.by_index(back.index)).alias == std::string(255, 'x'));
  must(links.change(back.index, {.alias = ""}));
  CHECK(must(links.by_index(back.index)).alias.empty());
}

TEST_CASE("A link without programs has none to take off") {
  LeftBehind l;
  CHECK_FALSE(l.now().xdp);
  CHECK(must(l.inside->detach_programs(l.index)) == 0);
  CHECK(l.inside->detach_programs(4711).error().os_errno == ENODEV);
}

TEST_CASE("An XDP program stays over a move, is told by its mode, and can be taken off") {
  for (const bool held_by_link : {false, true}) {
    INFO("held by a bpf_link: " << held_by_link);
    LeftBehind l;
    l.attach({.hook = FakeProgram::Hook::xdp_generic, .held_by_link = held_by_link});
    auto back = l.come_back();
    REQUIRE(back.xdp);
    CHECK(back.xdp->generic);
    CHECK_FALSE(back.xdp->driver);
    CHECK_FALSE(back.xdp->offload);
    auto& links = l.fixture->links();
    CHECK(must(links.detach_programs(back.index)) == 1);
    CHECK_FALSE(must(links.by_index(back.index)).xdp);
    CHECK(must(links.detach_programs(back.index)) == 0);
  }
}

TEST_CASE("tcx programs stay over a move, held by a bpf_link or not, and can be taken off") {
  using Hook = FakeProgram::Hook;
  LeftBehind l;
  l.attach({.hook = Hook::tcx_ingress, .id = 11});
  l.attach({.hook = Hook::tcx_ingress, .id = 12, .held_by_link = true});
  l.attach({.hook = Hook::tcx_egress, .id = 13, .held_by_link = true});
  l.attach({.hook = Hook::tcx_egress, .id = 14});
  auto back = l.come_back();
  CHECK_FALSE(back.xdp);  // RTM_GETLINK tells nothing of tcx
  auto& links = l.fixture->links();
  CHECK(must(links.detach_programs(back.index)) == 4);
  CHECK(must(links.detach_programs(back.index)) == 0);
}

TEST_CASE("A namespace whose path is gone is found as long as a process is in it") {
  LeftBehind l;
  const auto id = l.pod.id();
  CHECK(is(l.fixture->netns().find({id.device, id.inode + 1'000'000}), ErrorCode::not_found));
  l.fixture->unlink_netns("pod0");
  {
    const auto found = must(l.fixture->netns().find(id));
    CHECK(found.id() == id);
    auto links = must(l.fixture->netns().links(found));
    CHECK(must(links->by_name("net1")).index == l.index);
    l.come_back();
  }
  l.fixture->end_netns("pod0");
  CHECK(is(l.fixture->netns().find(id), ErrorCode::not_found));
}

}  // namespace railhead::test
