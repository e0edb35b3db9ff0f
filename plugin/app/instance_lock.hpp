#pragma once
#include <string>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace railhead::app {

// One agent per node. In a rolling update the new one may come before the old one is gone.
class InstanceLock {
 public:
  // A file in the run folder, held by flock(2): the kernel frees it however its holder ends.
  [[nodiscard]] static Result<InstanceLock> open(const std::string& run_dir);

  // Without waiting. busy: another agent holds it; the message names its pid. io: nobody can tell.
  [[nodiscard]] Result<void> take();

 private:
  InstanceLock(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  UniqueFd fd_;
};

}  // namespace railhead::app
