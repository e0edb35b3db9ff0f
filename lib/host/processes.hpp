#pragma once
// PORT: other programs and locks between processes.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace railhead::host {

struct ProcessRequest {
  std::string program;                   // absolute path
  std::vector<std::string> environment;  // "KEY=value", the whole of it
  std::string input;                     // its standard input
  std::chrono::milliseconds limit{120'000};
};

struct ProcessResult {
  int exit_code = 0;  // 128 + signal when a signal ended it
  std::string output;
  std::string error_output;  // also passed on to our standard error
};

class Processes {
 public:
  virtual ~Processes() = default;
  // Runs to the end. timeout: it was killed at the limit. An exit code other than 0 is a result.
  // ETXTBSY is tried again for a while, as libcni does.
  [[nodiscard]] virtual Result<ProcessResult> run(const ProcessRequest& request) = 0;
};

// An exclusive lock on a file, held until it goes (flock(2): the kernel drops it when we die).
class FileLock {
 public:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}

 private:
  UniqueFd fd_;
};

class FileLocks {
 public:
  virtual ~FileLocks() = default;
  // Makes the file (0600) where missing. Those who wait have it in the order of their asking.
  // timeout: somebody else held it for all of `limit`.
  [[nodiscard]] virtual Result<FileLock> lock(const std::string& path,
                                              std::chrono::milliseconds limit) = 0;
};

}  // namespace railhead::host
