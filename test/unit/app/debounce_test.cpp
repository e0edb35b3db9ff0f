#include "plugin/app/debounce.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace std::chrono_literals;
using railhead::app::Debounce;

namespace {
const Debounce::TimePoint kStart{1h};
}

TEST_CASE("Nothing is due without an event") {
  Debounce debounce;
  CHECK_FALSE(debounce.due());
  debounce.looking(kStart);
  CHECK_FALSE(debounce.due());
}

TEST_CASE("One event is due after a quiet moment, and once") {
  Debounce debounce;
  debounce.event(kStart);
  CHECK(debounce.due() == kStart + 50ms);
  debounce.looking(kStart + 50ms);
  CHECK_FALSE(debounce.due());
}

TEST_CASE("Events that keep coming put the look off, but not beyond the limit") {
  Debounce debounce;
  debounce.event(kStart);
  debounce.event(kStart + 40ms);
  CHECK(debounce.due() == kStart + 90ms);
  debounce.event(kStart + 140ms);
  CHECK(debounce.due() == kStart + 150ms);
}

TEST_CASE("A burst of 200 events within a second costs three looks, the last after its end") {
  Debounce debounce;
  int looks = 0;
  auto last_look = kStart;
  auto now = kStart;
  for (; now < kStart + 1s; now += 5ms) {
    if (const auto due = debounce.due(); due && *due <= now) {
      debounce.looking(now);
      ++looks;
    }
    debounce.event(now);
  }
  const auto last_event = now - 5ms;
  REQUIRE(debounce.due());
  last_look = *debounce.due();
  CHECK(looks + 1 <= 3);
  CHECK(last_look >= last_event);
  CHECK(last_look <= last_event + 50ms);
  // Calm again: the next event is as fast as the first was.
  debounce.looking(last_look);
  debounce.event(now + 1min);
  CHECK(debounce.due() == now + 1min + 50ms);
}
