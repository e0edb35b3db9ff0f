#include "plugin/app/instance_lock.hpp"

#include <csignal>
#include <filesystem>
#include <future>
#include <optional>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include "test/support/must.hpp"
#include "test/support/temporary_folder.hpp"

using namespace railhead;
using namespace railhead::test;
using app::InstanceLock;

TEST_CASE(
    "The second agent of a node is told who the first one is, and has its place when it ends") {
  const TemporaryFolder folder;
  std::optional<InstanceLock> first = must(InstanceLock::open(folder.path() + "/run"));
  must(first->take());
  first->sign("pod ns/railhead-agent-x2k4f");
  auto second = must(InstanceLock::open(folder.path() + "/run"));
  const auto refused = second.take();
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK(refused.error().message.find("pod ns/railhead-agent-x2k4f holds ") != std::string::npos);
  CHECK(second.holder() == "pod ns/railhead-agent-x2k4f");
  first.reset();
  must(second.take());
}

TEST_CASE("A lock that is released is free, though its file is still open elsewhere") {
  const TemporaryFolder folder;
  auto first = must(InstanceLock::open(folder.path()));
  must(first.take());
  const auto waiting = first;  // as a thread that hangs has it
  auto second = must(InstanceLock::open(folder.path()));
  std::promise<void> got;
  std::thread next([&, lock = second] {
    must(lock.wait());
    got.set_value();
  });
  first.release();
  CHECK(got.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  next.join();
  CHECK(is(first.take(), ErrorCode::busy));
}

TEST_CASE("A lock that cannot be signed is held all the same") {
  const TemporaryFolder folder;
  auto first = must(InstanceLock::open(folder.path()));
  auto second = must(InstanceLock::open(folder.path()));

  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit nothing{0, before.rlim_max};
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &nothing);
  const auto taken = first.take();
  first.sign("pid 1");
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);

  must(taken);
  const auto refused = second.take();
  REQUIRE(is(refused, ErrorCode::busy));
  CHECK(refused.error().message.find("somebody holds ") != std::string::npos);
}

TEST_CASE("A lock whose file was removed, or made anew, stands no more") {
  const TemporaryFolder folder;
  auto lock = must(InstanceLock::open(folder.path() + "/run"));
  must(lock.take());
  must(lock.stands());
  std::filesystem::remove_all(folder.path() + "/run");
  CHECK(is(lock.stands(), ErrorCode::not_found));
  auto next = must(InstanceLock::open(folder.path() + "/run"));
  must(next.take());
  must(next.stands());
  CHECK(is(lock.stands(), ErrorCode::not_found));
}
