#pragma once
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/unique_fd.hpp"

namespace railhead::linux {

// pidfd_open(2), readable once the process has ended. glibc 2.36 declares it, but not for C++.
inline UniqueFd open_process(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

}  // namespace railhead::linux
