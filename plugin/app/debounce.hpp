#pragma once
#include <chrono>
#include <optional>

namespace railhead::app {

// When to look at the node after an event: as soon as nothing more has come for a short while, and
// without waiting for that for ever. While a burst goes on the looks become rarer, so that it costs
// few updates however long it is; the last look follows the last event as closely as ever.
class Debounce {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds kQuiet{50};
  static constexpr std::chrono::milliseconds kFirstLimit{150};
  static constexpr std::chrono::milliseconds kLastLimit{1200};

  void event(TimePoint now);
  // Empty: no event since the last look.
  [[nodiscard]] std::optional<TimePoint> due() const;
  void looking(TimePoint now);
  [[nodiscard]] const std::optional<TimePoint>& first() const { return first_; }  // since then

 private:
  std::optional<TimePoint> first_;
  TimePoint last_;
  std::chrono::milliseconds limit_ = kFirstLimit;
};

}  // namespace railhead::app
