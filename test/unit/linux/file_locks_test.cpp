#include "linux/file_locks.hpp"

#include <optional>

#include <catch2/catch_test_macros.hpp>
#include <sys/stat.h>

#include "test/support/fake_clock.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

struct Locks {
  FakeClock clock;
  linux::LinuxFileLocks locks{clock};
  TemporaryFolder folder;
  std::string path = folder.path() + "/deep/below/device.lock";
};

}  // namespace

TEST_CASE("A lock makes its file and folders, for nobody else to see") {
  Locks l;
  auto lock = must(l.locks.lock(l.path, 0ms));
  struct stat status {};
  REQUIRE(::stat(l.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  REQUIRE(::stat((l.folder.path() + "/deep").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("A lock that is held is waited for as long as the limit says, and the error names it") {
  Locks l;
  auto held = must(l.locks.lock(l.path, 0ms));
  const auto start = l.clock.now();
  auto second = l.locks.lock(l.path, 1s);
  REQUIRE(is(second, ErrorCode::timeout));
  CHECK(second.error().message.starts_with(l.path + " is held"));
  CHECK(l.clock.now() - start >= 1s);
  CHECK(l.clock.now() - start < 1100ms);
}

TEST_CASE("A lock that is let go is had by who waits for it") {
  Locks l;
  std::optional<host::FileLock> held(must(l.locks.lock(l.path, 0ms)));
  l.clock.on_sleep = [&] { held.reset(); };
  CHECK(l.locks.lock(l.path, 1s));
}
