#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>

#include "base/error.hpp"

namespace railhead {

// Time, injected so that tests decide when it passes.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual std::chrono::steady_clock::time_point now() const = 0;
  virtual void sleep(std::chrono::nanoseconds duration) = 0;
  // Waits until `done`, which is asked with `lock` held and whose answer changes when `changed` is
  // notified; what it says in the end, after `limit` at the latest.
  virtual bool wait(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                    std::chrono::nanoseconds limit, const std::function<bool()>& done);
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::steady_clock::time_point now() const override;
  void sleep(std::chrono::nanoseconds duration) override;
  bool wait(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
            std::chrono::nanoseconds limit, const std::function<bool()>& done) override;
};

// Asks `done` again and again, `every` apart, until it says true (true) or `limit` has passed
// (false). It is asked at least once, and once more at the end.
bool wait_until(Clock& clock, std::chrono::nanoseconds limit, std::chrono::nanoseconds every,
                const std::function<bool()>& done);

// poll(2)'s timeout until `due`, in ms, rounded up so that nobody wakes too early; -1, for ever,
// without one.
[[nodiscard]] int poll_timeout_ms(std::optional<std::chrono::steady_clock::time_point> due,
                                  std::chrono::steady_clock::time_point now);

}  // namespace railhead
