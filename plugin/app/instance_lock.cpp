#include "plugin/app/instance_lock.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.hpp"
#include "host/files.hpp"

namespace railhead::app {

Result<InstanceLock> InstanceLock::open(const std::string& run_dir) {
  if (auto made = host::make_directories(run_dir, 0700); !made) return pass(made);
  auto path = run_dir + "/agent.lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, "open {}", path);
  return InstanceLock(std::move(path), std::make_shared<const UniqueFd>(std::move(fd)));
}

Result<void> InstanceLock::take() {
  if (flock(fd_->get(), LOCK_EX | LOCK_NB) == 0) return {};
  if (errno != EWOULDBLOCK) return fail_errno(errno, "lock {}", path_);
  const auto who = holder();
  return fail(ErrorCode::busy, "another agent serves this node: {} holds {}",
              who.empty() ? "somebody" : who, path_);
}

Result<void> InstanceLock::wait() const {
  while (flock(fd_->get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno(errno, "lock {}", path_);
  }
  return {};
}

// It only helps whoever reads of a busy lock; without it, on a full disk, the lock is held.
void InstanceLock::sign(const std::string& who) const {
  const auto line = who + '\n';
  if (ftruncate(fd_->get(), 0) == 0) {
    [[maybe_unused]] const auto written = pwrite(fd_->get(), line.data(), line.size(), 0);
  }
}

std::string InstanceLock::holder() const {
  std::array<char, 512> text{};
  const ssize_t size = pread(fd_->get(), text.data(), text.size(), 0);
  return std::string(trim({text.data(), static_cast<size_t>(std::max<ssize_t>(0, size))}));
}

Result<void> InstanceLock::stands() const {
  struct stat held {};
  struct stat there {};
  if (::fstat(fd_->get(), &held) == 0 && ::stat(path_.c_str(), &there) == 0 &&
      held.st_dev == there.st_dev && held.st_ino == there.st_ino) {
    return {};
  }
  return fail(ErrorCode::not_found, "{} was removed: another agent may serve this node", path_);
}

void InstanceLock::release() const { flock(fd_->get(), LOCK_UN); }

}  // namespace railhead::app
