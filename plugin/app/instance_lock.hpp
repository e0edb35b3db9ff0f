#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace railhead::app {

// One agent per node. During a rolling update two overlap for a while, and both serve: the new one
// must be ready before the old one is told to go. What must not be is two for good.
class InstanceLock {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // A file in the run folder, held by flock(2): the kernel frees it however its holder ends.
  // `patience`: for how long another may hold it.
  [[nodiscard]] static Result<InstanceLock> open(const std::string& run_dir,
                                                 std::chrono::seconds patience, Clock& clock);

  // Without waiting. busy: another agent holds it; the message names its pid. io: nobody can tell.
  [[nodiscard]] Result<void> take();

  // Empty once it is taken; until then it is to be tried again.
  [[nodiscard]] std::optional<TimePoint> due() const { return due_; }
  // Tries when that is due. Errors: busy (patience is at its end), io.
  [[nodiscard]] Result<void> take_if_due();

 private:
  InstanceLock(std::string path, UniqueFd fd, std::chrono::seconds patience, Clock& clock);
  std::string path_;
  UniqueFd fd_;
  Clock* clock_;
  TimePoint end_;
  std::optional<TimePoint> due_;
};

}  // namespace railhead::app
