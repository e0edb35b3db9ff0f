#include "plugin/app/instance_lock.hpp"

#include <csignal>
#include <optional>

#include <catch2/catch_test_macros.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::test;
using app::InstanceLock;

TEST_CASE(
    "The second agent of a node is told the first one's pid, and has its place when it ends") {
  const TemporaryFolder folder;
  std::optional<InstanceLock> first = must(InstanceLock::open(folder.path() + "/run"));
  must(first->take());
  auto second = must(InstanceLock::open(folder.path() + "/run"));
  const auto refused = second.take();
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK(refused.error().message.find(fmt::format("pid {} ", getpid())) != std::string::npos);
  first.reset();
  must(second.take());
}

TEST_CASE("A lock whose pid cannot be written is held all the same") {
  const TemporaryFolder folder;
  auto first = must(InstanceLock::open(folder.path()));
  auto second = must(InstanceLock::open(folder.path()));

  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit nothing{0, before.rlim_max};
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &nothing);
  const auto taken = first.take();
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);

  must(taken);
  const auto refused = second.take();
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK(refused.error().message.find("pid unknown ") != std::string::npos);
}
