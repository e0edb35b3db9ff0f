// host::Functions on a real kernel: a VF's driver and reset, and a write that sleeps where no
// signal reaches it. Expects the VF netdev pf0v1 of igbvf, and /run/frozen, a file system that can
// be frozen.
#include "linux/functions.hpp"

#include <cstdlib>
#include <filesystem>

#include <catch2/catch_test_macros.hpp>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "host/files.hpp"
#include "test/support/must.hpp"
#include "test/support/sysfs_tree.hpp"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace fs = std::filesystem;

namespace {

constexpr auto kLimit = 60s;

void sh(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

// A tree like sysfs on a file system whose writers sleep uninterruptibly while it is frozen.
struct Frozen {
  Frozen() {
    tree.add({.address = function.to_string()});
    tree.write(tree.folder(function.to_string()) + "/reset", "");
    sh("sync; fsfreeze -f /run/frozen");
  }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;
  ~Frozen() { thaw(); }
  void thaw() {
    if (frozen) std::ignore = std::system("fsfreeze -u /run/frozen");
    frozen = false;
  }

  PciAddress function{0, 0x11, 0, 0};
  SysfsTree tree{"/run/frozen/sys"};
  linux::LinuxFunctions functions{"/run/frozen/sys"};
  bool frozen = true;
};

// The only child of this process, and its state: "D" sleeps uninterruptibly.
std::pair<std::string, std::string> child() {
  const auto pids = must(host::read_file(fmt::format("/proc/self/task/{}/children", ::getpid())));
  const std::string pid(trim(pids));
  if (pid.empty()) return {};
  const auto stat = must(host::read_file(fmt::format("/proc/{}/stat", pid)));
  return {pid, stat.substr(stat.rfind(')') + 2, 1)};
}

}  // namespace

TEST_CASE("A VF's driver is taken off and put on, and the VF is reset between") {
  linux::LinuxFunctions functions;
  const fs::path netdev = "/sys/class/net/pf0v1";
  const auto folder = fs::canonical(netdev / "device");
  const auto function = *PciAddress::parse(folder.filename().string());
  CHECK(is(functions.unbind(function, "igb", kLimit), ErrorCode::not_found));
  CHECK(is(functions.bind(function, "igbvf", kLimit), ErrorCode::busy));
  must(functions.unbind(function, "igbvf", kLimit));
  CHECK_FALSE(fs::exists(netdev));
  must(functions.reset(function, kLimit));
  must(functions.bind(function, "igbvf", kLimit));
  SystemClock clock;
  REQUIRE(wait_until(clock, kLimit, 10ms, [&] { return fs::exists(folder / "net"); }));
  CHECK(is(functions.reset({0, 0x77, 0, 0}, kLimit), ErrorCode::not_found));
  CHECK(is(functions.bind(function, "no_such_driver", kLimit), ErrorCode::not_found));
}

TEST_CASE("A write that nothing can end is left behind: killed, asleep, without what is ours") {
  Frozen hung;
  const auto refused = hung.functions.reset(hung.function, 500ms);
  REQUIRE(is(refused, ErrorCode::timeout));
  const auto [pid, state] = child();
  REQUIRE_FALSE(pid.empty());
  CHECK(state == "D");
  for (const auto& fd : fs::directory_iterator("/proc/" + pid + "/fd")) {
    CHECK(fs::read_symlink(fd.path()).string().starts_with("/run/frozen/"));
  }
  // Who comes next, in this process or another, is told so at once, and leaves nothing more behind.
  CHECK(is(hung.functions.reset(hung.function, kLimit), ErrorCode::busy));
  linux::LinuxFunctions other("/run/frozen/sys");
  CHECK(is(other.reset(hung.function, kLimit), ErrorCode::busy));
  CHECK(child().first == pid);

  hung.thaw();
  SystemClock clock;
  CHECK(wait_until(clock, kLimit, 10ms,
                   [&] { return hung.functions.reset(hung.function, kLimit).has_value(); }));
  CHECK(child().first.empty());
}
