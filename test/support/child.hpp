#pragma once
#include <string>
#include <vector>

#include <sys/types.h>

namespace railhead::test {

// A program that was started; it is ended (SIGTERM) and waited for at the latest when this goes.
class Child {
 public:
  // Its standard input is the file `input`, its output goes to /dev/null. Throws when it cannot be
  // started.
  Child(const std::vector<std::string>& command, const std::vector<std::string>& environment,
        const std::string& input = "/dev/null");
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Waits for its end; the exit code, 128 + signal when a signal ended it.
  int wait();
  int terminate();  // SIGTERM and wait

 private:
  pid_t pid_ = -1;
  int exit_code_ = 0;
  bool running_ = true;
};

}  // namespace railhead::test
