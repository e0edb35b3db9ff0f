#pragma once
#include "base/clock.hpp"
#include "host/processes.hpp"

namespace railhead::linux {

// host::FileLocks by flock(2): who asked first has it first. At the limit the wait is given up, but
// a thread is left behind in it; it lets the lock go as soon as it has it. Folders that are missing
// are made (0700).
class LinuxFileLocks final : public host::FileLocks {
 public:
  explicit LinuxFileLocks(Clock& clock) : clock_(clock) {}

  Result<host::FileLock> lock(const std::string& path, std::chrono::milliseconds limit) override;

 private:
  Clock& clock_;
};

}  // namespace railhead::linux
