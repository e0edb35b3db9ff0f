#pragma once
#include "base/clock.hpp"
#include "host/processes.hpp"

namespace railhead::linux {

// host::Processes by posix_spawn(3). A program runs in a process group of its own, all of which is
// killed at the limit. `clock` passes the waits for a busy program file (ETXTBSY: it is being
// written): up to 6 of 1 s.
class LinuxProcesses final : public host::Processes {
 public:
  explicit LinuxProcesses(Clock& clock) : clock_(clock) {}

  // Output of more than 16 MiB is an error (io); of error output the first 64 KiB are kept.
  Result<host::ProcessResult> run(const host::ProcessRequest& request) override;

 private:
  Clock& clock_;
};

}  // namespace railhead::linux
