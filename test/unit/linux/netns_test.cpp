#include "linux/netns.hpp"

#include <cstdlib>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/files.hpp"
#include "host/netns_sysfs.hpp"
#include "netlink/linux_links.hpp"
#include "netlink/linux_rdma.hpp"
#include "test/support/must.hpp"
#include "test/support/private_netns.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::test;

namespace {

// The test program's own namespace and a second one, which a bind mount holds at `path`.
struct Namespaces {
  Namespaces() {
    enter_private_netns();
    netns = must(linux::LinuxNetns::open({netlink::LinuxLinks::open, netlink::LinuxRdma::open}));
    must_run("unshare --net=" + path + " true");
  }
  Namespaces(const Namespaces&) = delete;
  Namespaces& operator=(const Namespaces&) = delete;
  ~Namespaces() { ::umount2(path.c_str(), MNT_DETACH); }

  static std::string touch(std::string file) {
    must(host::write_file_atomically(file, "", 0600));
    return file;
  }
  TemporaryFolder folder;
  std::string path = touch(folder.path() + "/pod0");
  std::unique_ptr<host::NetNamespaces> netns;
};

}  // namespace

TEST_CASE("A namespace is told by its identity, and the ordinary file it leaves is none") {
  Namespaces n;
  auto pod = must(n.netns->open(n.path));
  CHECK(pod.id() == must(n.netns->open(n.path)).id());
  CHECK(pod.id() != must(n.netns->current()).id());
  REQUIRE(::umount2(n.path.c_str(), MNT_DETACH) == 0);
  CHECK(is(n.netns->open(n.path), ErrorCode::not_found));
  CHECK(is(n.netns->open(n.folder.path() + "/absent"), ErrorCode::not_found));
  CHECK(is(n.netns->open("/proc/self/ns/mnt"), ErrorCode::not_found));
}

TEST_CASE("A namespace is found by its identity where a process is in it, and only there") {
  Namespaces n;
  const auto id = must(n.netns->open(n.path)).id();
  CHECK(is(n.netns->find(id), ErrorCode::not_found));  // a bind mount keeps it, no process does
  const auto own = must(n.netns->find(must(n.netns->current()).id()));
  CHECK(own.id() == must(n.netns->current()).id());
  CHECK(own.path().starts_with("/proc/"));
}

TEST_CASE("Processes that cannot be looked at, or went meanwhile, are passed over") {
  Namespaces n;
  const auto proc = n.folder.path() + "/proc";
  const auto add = [&](const std::string& name, const std::string& target) {
    must(host::make_directories(proc + '/' + name + "/ns", 0700));
    REQUIRE(::symlink(target.c_str(), (proc + '/' + name + "/ns/net").c_str()) == 0);
  };
  must(host::make_directories(proc + "/7", 0700));
  add("8", "/absent");
  add("9", "/etc/passwd");
  add("self", n.path);
  auto netns = must(linux::LinuxNetns::open({netlink::LinuxLinks::open, netlink::LinuxRdma::open},
                                            "/proc/thread-self/ns/net", proc));
  const auto id = must(n.netns->open(n.path)).id();
  CHECK(is(netns->find(id), ErrorCode::not_found));
  add("10", n.path);
  CHECK(must(netns->find(id)).path() == proc + "/10/ns/net");
  const auto absent =
      must(linux::LinuxNetns::open({netlink::LinuxLinks::open, netlink::LinuxRdma::open},
                                   "/proc/thread-self/ns/net", proc + "/absent"));
  CHECK_FALSE(absent->find(id));
}

TEST_CASE("Ports onto a namespace work from outside of it") {
  Namespaces n;
  auto pod = must(n.netns->open(n.path));
  auto links = must(n.netns->links(pod));
  CHECK(must(links->list()).size() == 1);
  must(links->change(must(links->by_name("lo")).index, {.up = true}));
  CHECK(must(links->by_name("lo")).is_up());

  auto here = must(netlink::LinuxLinks::open());
  must_run("ip link add va type veth peer name vb");
  must(here->change(must(here->by_name("va")).index, {.netns_fd = pod.fd(), .name = "net1"}));
  CHECK(must(links->by_name("net1")).kind == "veth");
  CHECK(is(here->by_name("va"), ErrorCode::not_found));
  must_run("ip link del vb");
}

TEST_CASE("Asking for RDMA devices is no error, whether the kernel has RDMA or not") {
  Namespaces n;
  auto rdma = must(n.netns->rdma(must(n.netns->open(n.path))));
  const bool has_rdma = must(rdma->netns_mode()).has_value();
  CHECK((has_rdma || must(rdma->list()).empty()));
  CHECK(is(rdma->rename("absent", "rail0"), ErrorCode::not_found));
}

TEST_CASE("Work runs inside the namespace, and leaves the caller where it was") {
  Namespaces n;
  auto pod = must(n.netns->open(n.path));
  const auto sysctl = "/proc/sys/net/ipv4/ip_default_ttl";
  const auto before = must(host::read_file(sysctl));
  must(n.netns->run(pod, [&] { return host::write_file(sysctl, "33"); }));
  CHECK(must(host::read_file(sysctl)) == before);
  must(n.netns->run(pod, [&]() -> Result<void> {
    CHECK(must(host::read_file(sysctl)) == "33\n");
    return {};
  }));
}

TEST_CASE("What work fails with is what run fails with") {
  Namespaces n;
  auto pod = must(n.netns->open(n.path));
  auto failed = n.netns->run(pod, [] { return Result<void>(fail(ErrorCode::busy, "held")); });
  REQUIRE(is(failed, ErrorCode::busy));
  CHECK(failed.error().message == "held");
}

TEST_CASE("A namespace's own sysfs shows what is in that namespace, from outside of it") {
  Namespaces n;
  auto pod = must(n.netns->open(n.path));
  must(n.netns->run(pod, [] {
    must_run("ip link add only-here type veth peer name other");
    return Result<void>();
  }));
  auto sysfs = must(host::open_sysfs(*n.netns, pod));
  CHECK(must(sysfs.read("class/net/only-here/operstate")) == "down");
  CHECK(
      is(must(host::open_sysfs(*n.netns, must(n.netns->current()))).read("class/net/only-here/mtu"),
         ErrorCode::not_found));
}

TEST_CASE("One's own namespace is not entered: that would need a capability that the agent lacks") {
  Namespaces namespaces;
  const auto here = must(namespaces.netns->current());
  const auto there = must(namespaces.netns->open(namespaces.path));
  const auto this_thread = std::this_thread::get_id();
  const auto runs_here = [&](const host::Netns& netns) {
    std::thread::id ran_on;
    must(host::run_in_netns(netns.fd(), [&]() -> Result<void> {
      ran_on = std::this_thread::get_id();
      return {};
    }));
    return ran_on == this_thread;
  };
  CHECK(runs_here(here));
  CHECK_FALSE(runs_here(there));
}
