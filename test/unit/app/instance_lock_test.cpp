#include "plugin/app/instance_lock.hpp"

#include <csignal>

#include <catch2/catch_test_macros.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include "test/support/fake_clock.hpp"
#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;
using app::InstanceLock;

TEST_CASE("The second agent of a node is told the first one's pid, and gives up in time") {
  const TemporaryFolder folder;
  FakeClock clock;
  auto first = must(InstanceLock::open(folder.path() + "/run", 10s, clock));
  must(first.take());
  CHECK_FALSE(first.due());

  auto second = must(InstanceLock::open(folder.path() + "/run", 10s, clock));
  const auto refused = second.take();
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK(refused.error().message.find(fmt::format("pid {} ", getpid())) != std::string::npos);
  CHECK(second.take_if_due());  // not yet
  CHECK(second.due() == clock.now() + 1s);
  clock.sleep(9s);
  CHECK(second.take_if_due());
  clock.sleep(1s);
  CHECK(is(second.take_if_due(), ErrorCode::busy));
}

TEST_CASE("When the first agent ends, the second takes its place") {
  const TemporaryFolder folder;
  FakeClock clock;
  std::optional<InstanceLock> first = must(InstanceLock::open(folder.path(), 10s, clock));
  must(first->take());
  auto second = must(InstanceLock::open(folder.path(), 10s, clock));
  CHECK_FALSE(second.take());
  first.reset();
  must(second.take_if_due());
  CHECK_FALSE(second.due());
}

TEST_CASE("A lock whose pid cannot be written is held all the same") {
  const TemporaryFolder folder;
  FakeClock clock;
  auto first = must(InstanceLock::open(folder.path(), 10s, clock));
  auto second = must(InstanceLock::open(folder.path(), 10s, clock));

  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit nothing{0, before.rlim_max};
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &nothing);
  const auto taken = first.take();
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);

  must(taken);
  CHECK_FALSE(first.due());
  const auto refused = second.take();
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK(refused.error().message.find("pid unknown ") != std::string::npos);
}
