#include "cni/install/locked_folder.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace railhead::cni {
namespace {

constexpr std::chrono::seconds kLongestInstall{60};
constexpr std::chrono::milliseconds kPause{20};
constexpr const char* kLock = ".railhead.lock";

Result<UniqueFd> open_lock(const UniqueFd& folder) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  UniqueFd lock(::openat(folder.get(), kLock, kFlags, 0600));
  if (!lock) return fail_errno(errno, "open {}", kLock);
  struct stat status {};
  if (::fstat(lock.get(), &status) != 0) return fail_errno(errno, "stat {}", kLock);
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 077) != 0) {
    return fail(ErrorCode::invalid_argument,
                "{}: expected a file of user {} that nobody else may open: remove it", kLock,
                ::geteuid());
  }
  return lock;
}

// Whether it is the one that stands there, and no one that an uninstall removed meanwhile.
bool stands(const UniqueFd& folder, const UniqueFd& lock) {
  struct stat now {};
  struct stat ours {};
  return ::fstatat(folder.get(), kLock, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
         ::fstat(lock.get(), &ours) == 0 && now.st_ino == ours.st_ino;
}

}  // namespace

Result<LockedFolder> LockedFolder::open(const std::string& path, Clock& clock) {
  UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail_errno(errno, "open {}", path);
  Result<UniqueFd> lock = UniqueFd();
  const bool is_decided = wait_until(clock, kLongestInstall, kPause, [&] {
    lock = open_lock(folder);
    if (!lock) return true;
    if (::flock(lock->get(), LOCK_EX | LOCK_NB) == 0) return stands(folder, *lock);
    if (errno == EWOULDBLOCK || errno == EINTR) return false;
    lock = fail_errno(errno, "lock {}", kLock);
    return true;
  });
  if (!is_decided) {
    return fail(ErrorCode::timeout, "another railhead install has been at work in {} for a minute",
                path);
  }
  if (!lock) return pass(lock, path);
  return LockedFolder(std::move(folder), std::move(*lock));
}

Result<> LockedFolder::remove_lock() const {
  if (::unlinkat(folder_.get(), kLock, 0) == 0 || errno == ENOENT) return {};
  return fail_errno(errno, "remove {}", kLock);
}

}  // namespace railhead::cni
