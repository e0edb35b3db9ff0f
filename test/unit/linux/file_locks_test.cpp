#include "linux/file_locks.hpp"

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <sys/stat.h>

#include "base/text.hpp"
#include "host/files.hpp"
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

constexpr std::chrono::seconds kLimit{60};

// In real time: what is waited for is other threads.
struct Waiting {
  // How many wait for the lock, as the kernel tells: "7: -> FLOCK  ADVISORY  WRITE 4711 08:01:99
  // …".
  [[nodiscard]] size_t waiting() const {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    const auto inode = fmt::format(":{} ", status.st_ino);
    const auto all = must(host::read_file("/proc/locks"));
    const auto lines = split(all, '\n');
    return static_cast<size_t>(std::ranges::count_if(lines, [&](const auto& line) {
      return line.find("->") != line.npos && line.find(inode) != line.npos;
    }));
  }
  [[nodiscard]] bool becomes(size_t count) {
    return wait_until(clock, kLimit, 1ms, [&] { return waiting() == count; });
  }

  SystemClock clock;
  linux::LinuxFileLocks locks{clock};
  TemporaryFolder folder;
  std::string path = folder.path() + "/device.lock";
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

TEST_CASE("A lock that is let go is had by those who wait, in the order in which they asked") {
  Waiting w;
  std::optional<host::FileLock> held(must(w.locks.lock(w.path, 0ms)));
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::thread> waiting;
  for (int who = 0; who < 5; ++who) {
    waiting.emplace_back([&, who] {
      const auto lock = w.locks.lock(w.path, kLimit);
      const std::lock_guard guard(mutex);
      if (lock) order.push_back(who);
    });
    CHECK(w.becomes(static_cast<size_t>(who) + 1));
  }
  held.reset();
  for (auto& thread : waiting) thread.join();
  CHECK(order == std::vector<int>{0, 1, 2, 3, 4});
}

TEST_CASE("Who gave up waiting for a lock does not keep it from others") {
  Waiting w;
  std::optional<host::FileLock> held(must(w.locks.lock(w.path, 0ms)));
  CHECK(is(w.locks.lock(w.path, 1ms), ErrorCode::timeout));
  CHECK(w.becomes(1));  // a thread is left behind in the queue, before the next one
  std::optional<bool> got;
  std::thread next([&] { got = w.locks.lock(w.path, kLimit).has_value(); });
  CHECK(w.becomes(2));
  held.reset();
  next.join();
  CHECK(got == true);
  CHECK(w.becomes(0));
  CHECK(w.locks.lock(w.path, kLimit));
}

TEST_CASE("A lock that is asked for without a wait leaves nobody behind") {
  Waiting w;
  const auto held = must(w.locks.lock(w.path, 0ms));
  CHECK(is(w.locks.lock(w.path, 0ms), ErrorCode::timeout));
  CHECK(w.waiting() == 0);
}
