#pragma once
#include <string>
#include <vector>

#include <sys/types.h>

#include "host/functions.hpp"

namespace railhead::linux {

// host::Functions by sysfs. Each write is done by a child process. One that hangs in the kernel is
// killed, which it hears of once it wakes, and holds the lock of the function's folder in sysfs
// until then: so the next one is told, and no pile of them comes to be. Not for use by several
// threads at once.
class LinuxFunctions final : public host::Functions {
 public:
  explicit LinuxFunctions(std::string sysfs = "/sys") : sysfs_(std::move(sysfs)) {}

  Result<void> unbind(const PciAddress& function, std::string_view driver,
                      std::chrono::milliseconds limit) override;
  Result<void> bind(const PciAddress& function, std::string_view driver,
                    std::chrono::milliseconds limit) override;
  Result<void> reset(const PciAddress& function, std::chrono::milliseconds limit) override;

 private:
  Result<void> write(const PciAddress& function, const std::string& path, const std::string& text,
                     std::chrono::milliseconds limit);

  std::string sysfs_;
  std::vector<pid_t> left_behind_;  // not reaped yet: a long-lived caller would keep zombies
};

}  // namespace railhead::linux
