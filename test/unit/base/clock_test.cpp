#include "base/clock.hpp"

#include <limits>

#include <catch2/catch_test_macros.hpp>

using railhead::poll_timeout_ms;
using namespace std::chrono_literals;

TEST_CASE("A wait ends when its time has come, never early, and never without one") {
  const std::chrono::steady_clock::time_point now{1h};
  CHECK(poll_timeout_ms({}, now) == -1);
  CHECK(poll_timeout_ms(now - 1s, now) == 0);
  CHECK(poll_timeout_ms(now, now) == 0);
  CHECK(poll_timeout_ms(now + 1ns, now) == 1);
  CHECK(poll_timeout_ms(now + 20ms, now) == 20);
  CHECK(poll_timeout_ms(now + 24h * 365, now) == std::numeric_limits<int>::max());
}
