#pragma once
#include <functional>

#include "base/clock.hpp"

namespace railhead::test {

// Time that passes only when somebody sleeps.
class FakeClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::steady_clock::time_point now() const override { return now_; }
  void sleep(std::chrono::nanoseconds duration) override {
    advance(duration);
    if (on_sleep) on_sleep();
  }
  void advance(std::chrono::nanoseconds duration) {
    now_ += duration;
    if (on_advance) on_advance();
  }

  std::function<void()> on_sleep;    // what happens on the machine meanwhile
  std::function<void()> on_advance;  // for what a fake of the machine does when its time has come

 private:
  std::chrono::steady_clock::time_point now_{std::chrono::hours{1}};
};

}  // namespace railhead::test
