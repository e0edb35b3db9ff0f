#include "base/deadline.hpp"

#include <catch2/catch_test_macros.hpp>

#include "test/support/fake_clock.hpp"

using namespace railhead;
using namespace std::chrono_literals;

TEST_CASE("A budget is one for all waits, and keeps its end for the undo") {
  test::FakeClock clock;
  const Deadline deadline(clock, 90s, 20s);
  CHECK(deadline.left() == 70s);
  CHECK(deadline.left(10s) == 10s);
  CHECK(deadline.for_undo().left() == 90s);
  clock.advance(65s);
  CHECK(deadline.left() == 5s);
  CHECK(deadline.left(10s) == 5s);
  clock.advance(10s);
  CHECK(deadline.left() == 0s);
  CHECK(deadline.for_undo().left() == 15s);
  clock.advance(20s);
  CHECK(deadline.for_undo().left() == 0s);
}
