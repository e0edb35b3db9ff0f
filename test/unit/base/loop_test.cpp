#include "base/loop.hpp"

#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <sys/eventfd.h>

#include "test/support/fake_clock.hpp"
#include "test/support/must.hpp"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;

struct Fixture {
  FakeClock clock;
  std::unique_ptr<Loop> loop = must(Loop::open(clock));
};

}  // namespace

TEST_CASE("A file that is ready is told at each turn until it is read, and not after its watch") {
  Fixture f;
  const UniqueFd file(eventfd(0, EFD_NONBLOCK));
  int told = 0;
  auto watch = must(f.loop->watch(file.get(), [&] { ++told; }));
  f.loop->turn();
  CHECK(told == 0);
  eventfd_write(file.get(), 1);
  f.loop->turn();
  f.loop->turn();
  CHECK(told == 2);
  watch.drop();
  f.loop->turn();
  CHECK(told == 2);
}

TEST_CASE("A file is watched for room to write where that is asked") {
  Fixture f;
  const UniqueFd file(eventfd(0, EFD_NONBLOCK));
  int told = 0;
  const auto watch = must(f.loop->watch(
      file.get(), [&] { ++told; }, EPOLLOUT));
  f.loop->turn();
  CHECK(told == 1);
}

TEST_CASE("A callback may end its own watch and others that are ready in the same turn") {
  Fixture f;
  const UniqueFd a(eventfd(1, EFD_NONBLOCK));
  const UniqueFd b(eventfd(1, EFD_NONBLOCK));
  int told = 0;
  Loop::Watch of_a;
  Loop::Watch of_b;
  const auto end_both = [&] {
    ++told;
    of_a.drop();
    of_b.drop();
  };
  of_a = must(f.loop->watch(a.get(), end_both));
  of_b = must(f.loop->watch(b.get(), end_both));
  f.loop->turn();
  f.loop->turn();
  CHECK(told == 1);
}

TEST_CASE("Timers expire once, in their order, when the clock says so") {
  Fixture f;
  std::string expired;
  Loop::Timer late(*f.loop, [&] { expired += "late "; });
  Loop::Timer soon(*f.loop, [&] { expired += "soon "; });
  late.set(f.clock.now() + 2s);
  soon.set(f.clock.now() + 1s);
  CHECK(f.loop->due() == f.clock.now() + 1s);
  f.loop->turn();
  CHECK(expired.empty());
  f.clock.advance(3s);
  f.loop->turn();
  f.loop->turn();
  CHECK(expired == "soon late ");
  CHECK_FALSE(f.loop->due());
}

TEST_CASE("A timer that is cancelled or set anew by another one does not expire with it") {
  Fixture f;
  int expired = 0;
  Loop::Timer second(*f.loop, [&] { ++expired; });
  Loop::Timer third(*f.loop, [&] { ++expired; });
  Loop::Timer first(*f.loop, [&] {
    second.cancel();
    third.set(f.clock.now() + 1h);
  });
  first.set(f.clock.now());
  second.set(f.clock.now() + 1ms);
  third.set(f.clock.now() + 1ms);
  f.clock.advance(1s);
  f.loop->turn();
  CHECK(expired == 0);
  CHECK(f.loop->due() == f.clock.now() + 1h);
}

TEST_CASE("A timer may set itself again and does not keep the turn from ending") {
  Fixture f;
  int expired = 0;
  std::optional<Loop::Timer> timer;
  timer.emplace(*f.loop, [&] {
    ++expired;
    timer->set(f.clock.now());
  });
  timer->set(f.clock.now());
  f.loop->turn();
  CHECK(expired == 1);
  timer->set_if_sooner(f.clock.now() + 1h);
  CHECK(timer->due() == f.clock.now());
}

TEST_CASE("Work from other threads runs on the loop's thread, in its order") {
  const SystemClock clock;
  const auto loop = must(Loop::open(clock));
  std::vector<int> ran;
  std::thread::id where;
  std::thread other([&] {
    for (int i = 0; i < 3; ++i) loop->post([&ran, i] { ran.push_back(i); });
    loop->post([&] { where = std::this_thread::get_id(); });
    loop->stop();
  });
  loop->run();
  other.join();
  CHECK(ran == std::vector{0, 1, 2});
  CHECK(where == std::this_thread::get_id());
}

TEST_CASE("Work that posts work ends its turn") {
  Fixture f;
  int ran = 0;
  std::function<void()> again = [&] {
    ++ran;
    f.loop->post(again);
  };
  f.loop->post(again);
  f.loop->turn();
  CHECK(ran == 1);
  f.loop->turn();
  CHECK(ran == 2);
}

TEST_CASE("A loop that turns answers, and one that does not keeps nobody waiting") {
  const SystemClock clock;
  const auto loop = must(Loop::open(clock));
  CHECK_FALSE(loop->takes_turns(1ms));
  std::thread turning([&] { loop->run(); });
  CHECK(loop->ask(10s, [] { return 42; }) == 42);
  CHECK(loop->takes_turns(10s));
  loop->stop();
  turning.join();
}

TEST_CASE("What is posted after the loop's end is dropped") {
  Fixture f;
  const auto poster = f.loop->poster();
  const auto kept = std::make_shared<int>();
  poster.post([kept] {});
  CHECK(kept.use_count() == 2);
  f.loop.reset();
  CHECK(kept.use_count() == 1);
  poster.post([kept] {});
  CHECK(kept.use_count() == 1);
}

}  // namespace railhead::test
