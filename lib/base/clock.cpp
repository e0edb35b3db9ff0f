#include "base/clock.hpp"

#include <algorithm>
#include <limits>

#include <time.h>

namespace railhead {

// For a clock whose time has nothing to do with the condition variable's.
bool Clock::wait(std::condition_variable& /*changed*/, std::unique_lock<std::mutex>& lock,
                 std::chrono::nanoseconds limit, const std::function<bool()>& done) {
  const auto end = now() + limit;
  while (!done()) {
    if (now() >= end) return false;
    lock.unlock();
    sleep(std::chrono::milliseconds{20});
    lock.lock();
  }
  return true;
}

bool SystemClock::wait(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                       std::chrono::nanoseconds limit, const std::function<bool()>& done) {
  return changed.wait_for(lock, limit, done);
}

std::chrono::steady_clock::time_point SystemClock::now() const {
  return std::chrono::steady_clock::now();
}

void SystemClock::sleep(std::chrono::nanoseconds duration) {
  timespec left{};
  left.tv_sec = static_cast<time_t>(duration.count() / 1'000'000'000);
  left.tv_nsec = static_cast<long>(duration.count() % 1'000'000'000);
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
  }
}

bool wait_until(Clock& clock, std::chrono::nanoseconds limit, std::chrono::nanoseconds every,
                const std::function<bool()>& done) {
  const auto end = clock.now() + limit;
  while (!done()) {
    if (clock.now() >= end) return false;
    clock.sleep(every);
  }
  return true;
}

int poll_timeout_ms(std::optional<std::chrono::steady_clock::time_point> due,
                    std::chrono::steady_clock::time_point now) {
  if (!due) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*due - now).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, std::numeric_limits<int>::max()));
}

}  // namespace railhead
