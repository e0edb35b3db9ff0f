#include "linux/file_locks.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>

#include "host/files.hpp"

namespace railhead::linux {
namespace {

Result<UniqueFd> open_lock_file(const std::string& path) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC;
  UniqueFd file(::open(path.c_str(), kFlags, 0600));
  if (!file && errno == ENOENT) {
    auto made = host::make_directories(path.substr(0, path.rfind('/')), 0700);
    if (!made) return pass(made);
    file = UniqueFd(::open(path.c_str(), kFlags, 0600));
  }
  if (!file) return fail_errno(errno, "open the lock {}", path);
  return file;
}

}  // namespace

Result<host::FileLock> LinuxFileLocks::lock(const std::string& path,
                                            std::chrono::milliseconds limit) {
  auto file = open_lock_file(path);
  if (!file) return pass(file);
  const auto end = clock_.now() + limit;
  std::chrono::milliseconds step{1};
  while (::flock(file->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return fail_errno(errno, "lock {}", path);
    if (clock_.now() >= end) {
      return fail(ErrorCode::timeout, "{} is held by another process (waited {} ms)", path,
                  limit.count());
    }
    clock_.sleep(step);
    step = std::min(2 * step, std::chrono::milliseconds{20});
  }
  return host::FileLock(std::move(*file));
}

}  // namespace railhead::linux
