#pragma once
#include <algorithm>
#include <chrono>

#include "base/clock.hpp"

namespace railhead {

// The time that whoever called us gives us. One for all that is done on the call: each wait on the
// way, for a lock, a device, another program, takes from it. What no limit can end is a system call
// that sleeps in the kernel, as a netlink message does that waits for RTNL.
class Deadline {
 public:
  using Milliseconds = std::chrono::milliseconds;

  // Of `budget` the last `reserve` is kept for undoing what was begun.
  Deadline(const Clock& clock, Milliseconds budget, Milliseconds reserve)
      : clock_(&clock), end_(clock.now() + budget), reserve_(reserve) {}

  // Rounded down; 0 when it is over.
  [[nodiscard]] Milliseconds left() const {
    const auto left = end_ - reserve_ - clock_->now();
    return std::max(Milliseconds{0}, std::chrono::duration_cast<Milliseconds>(left));
  }
  // As long as that, but at most `most`: for a wait that is hopeless after that.
  [[nodiscard]] Milliseconds left(Milliseconds most) const { return std::min(left(), most); }

  // The same end, with nothing kept back.
  [[nodiscard]] Deadline for_undo() const {
    Deadline all = *this;
    all.reserve_ = Milliseconds{0};
    return all;
  }

 private:
  const Clock* clock_;
  std::chrono::steady_clock::time_point end_;
  Milliseconds reserve_;
};

}  // namespace railhead
