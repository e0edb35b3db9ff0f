#include "plugin/health/hysteresis.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace std::chrono_literals;
using railhead::health::Hysteresis;

namespace {
const Hysteresis::TimePoint kStart{1h};
}

TEST_CASE("What is seen for the first time counts at once") {
  Hysteresis hysteresis;
  CHECK(hysteresis.judge("a", "", kStart).empty());
  CHECK(hysteresis.judge("b", "port down", kStart) == "port down");
  CHECK_FALSE(hysteresis.due());
}

TEST_CASE("A device is sick when it has been so for two seconds") {
  Hysteresis hysteresis;
  (void)hysteresis.judge("a", "", kStart);
  CHECK(hysteresis.judge("a", "port down", kStart + 1s).empty());
  CHECK(hysteresis.due() == kStart + 3s);
  CHECK(hysteresis.judge("a", "port down", kStart + 2999ms).empty());
  CHECK(hysteresis.judge("a", "port down", kStart + 3s) == "port down");
  CHECK_FALSE(hysteresis.due());
}

TEST_CASE("A short failure is never told") {
  Hysteresis hysteresis;
  (void)hysteresis.judge("a", "", kStart);
  (void)hysteresis.judge("a", "port down", kStart + 1s);
  CHECK(hysteresis.judge("a", "", kStart + 2s).empty());
  CHECK_FALSE(hysteresis.due());
  CHECK(hysteresis.judge("a", "port down", kStart + 4s).empty());
  CHECK(hysteresis.due() == kStart + 6s);
}

TEST_CASE("A device is well again when it has been so for ten seconds without a break") {
  Hysteresis hysteresis;
  (void)hysteresis.judge("a", "port down", kStart);
  CHECK(hysteresis.judge("a", "", kStart + 1s) == "port down");
  CHECK(hysteresis.judge("a", "port down", kStart + 9s) == "port down");
  CHECK(hysteresis.judge("a", "", kStart + 10s) == "port down");
  CHECK(hysteresis.due() == kStart + 20s);
  CHECK(hysteresis.judge("a", "", kStart + 20s).empty());
}

TEST_CASE("A sick device's new reason is told at once") {
  Hysteresis hysteresis;
  (void)hysteresis.judge("a", "port down", kStart);
  CHECK(hysteresis.judge("a", "PCI error", kStart + 1s) == "PCI error");
}

TEST_CASE("A device that was gone is new when it is back") {
  Hysteresis hysteresis;
  (void)hysteresis.judge("a", "", kStart);
  hysteresis.forget_others();  // judged since the last call: kept
  (void)hysteresis.judge("b", "", kStart);
  hysteresis.forget_others();
  CHECK(hysteresis.judge("a", "port down", kStart + 1s) == "port down");
  CHECK(hysteresis.judge("b", "port down", kStart + 1s).empty());
}
