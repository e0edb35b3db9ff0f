#pragma once
#include "base/clock.hpp"
#include "host/processes.hpp"

namespace railhead::linux {

// host::FileLocks by flock(2), asked again in growing steps (1 ms to 20 ms) while it is held.
// Folders that are missing are made (0700).
class LinuxFileLocks final : public host::FileLocks {
 public:
  explicit LinuxFileLocks(Clock& clock) : clock_(clock) {}

  Result<host::FileLock> lock(const std::string& path, std::chrono::milliseconds limit) override;

 private:
  Clock& clock_;
};

}  // namespace railhead::linux
