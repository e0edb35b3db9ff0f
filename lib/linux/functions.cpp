#include "linux/functions.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "linux/pidfd.hpp"

namespace railhead::linux {
namespace {

// The child's exit status is an errno; this one, which is none, says that another is at work on the
// function.
constexpr int kAtWork = 255;

// In the child: only system calls. What the kernel answered, as an errno.
int write_alone(const char* folder, const char* path, const std::string& text, pid_t parent) {
  // Nothing of the parent's may stay open in a process that nobody can end: not the device's lock,
  // and not the pipes at whose other end a runtime waits.
  if (::syscall(SYS_close_range, 0U, ~0U, 0U) != 0) return errno;
  // Whoever is killed must not leave a write behind that begins only after somebody else has the
  // device.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
  if (::getppid() != parent) return ESRCH;
  const int own = ::open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return errno;
  if (::flock(own, LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK ? kAtWork : errno;
  const int file = ::open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return errno;
  return ::write(file, text.data(), text.size()) < 0 ? errno : 0;
}

// Whether the process has ended by then.
bool ends(const UniqueFd& process, std::chrono::milliseconds limit) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + limit;
  for (;;) {
    pollfd polled{process.get(), POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    const auto ready =
        ::poll(&polled, 1, static_cast<int>(std::clamp<int64_t>(left.count(), 0, INT32_MAX)));
    if (ready < 0 && errno == EINTR) continue;
    return ready > 0;
  }
}

}  // namespace

Result<void> LinuxFunctions::write(const PciAddress& function, const std::string& path,
                                   const std::string& text, std::chrono::milliseconds limit) {
  std::erase_if(left_behind_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
  if (limit.count() <= 0) return fail(ErrorCode::timeout, "{}: no time is left for it", path);
  const auto folder = sysfs_ + "/bus/pci/devices/" + function.to_string();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(write_alone(folder.c_str(), path.c_str(), text, parent));
  if (pid < 0) return fail_errno(errno, "start a process that writes {}", path);
  const auto process = open_process(pid);
  if (process.get() < 0 || !ends(process, limit)) {
    ::kill(pid, SIGKILL);
    left_behind_.push_back(pid);
    return fail(ErrorCode::timeout,
                "writing \"{}\" to {} hangs: the kernel has not answered within {} ms (process {})",
                text, path, limit.count(), pid);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status)) {
    return fail(ErrorCode::io, "writing \"{}\" to {} was ended by a signal", text, path);
  }
  const int answer = WEXITSTATUS(status);
  if (answer == kAtWork) {
    return fail(ErrorCode::busy,
                "{} is not written to: a reset or a driver's change of {} that was begun earlier "
                "still hangs in the kernel",
                path, function.to_string());
  }
  if (answer != 0) return fail_errno(answer, "write \"{}\" to {}", text, path);
  return {};
}

Result<void> LinuxFunctions::unbind(const PciAddress& function, std::string_view driver,
                                    std::chrono::milliseconds limit) {
  return write(function, fmt::format("{}/bus/pci/drivers/{}/unbind", sysfs_, driver),
               function.to_string(), limit);
}

Result<void> LinuxFunctions::bind(const PciAddress& function, std::string_view driver,
                                  std::chrono::milliseconds limit) {
  return write(function, fmt::format("{}/bus/pci/drivers/{}/bind", sysfs_, driver),
               function.to_string(), limit);
}

Result<void> LinuxFunctions::reset(const PciAddress& function, std::chrono::milliseconds limit) {
  return write(function, fmt::format("{}/bus/pci/devices/{}/reset", sysfs_, function.to_string()),
               "1", limit);
}

}  // namespace railhead::linux
