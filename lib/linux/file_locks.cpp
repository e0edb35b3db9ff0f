#include "linux/file_locks.hpp"

#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

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

// Somebody who waits for the lock as flock(2) does it, in the kernel's queue. When nobody else has
// this any more, the file is closed and the lock let go.
struct Waiter {
  explicit Waiter(UniqueFd lock_file) : file(std::move(lock_file)) {}
  UniqueFd file;
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<int> answer;  // 0: it has the lock; else flock's errno
};

void wait_in_queue(const std::shared_ptr<Waiter>& waiter) {
  const int file = waiter->file.get();
  int answer = 0;
  do {
    answer = ::flock(file, LOCK_EX) == 0 ? 0 : errno;
  } while (answer == EINTR);
  const std::lock_guard guard(waiter->mutex);
  waiter->answer = answer;
  waiter->changed.notify_all();
}

// The lock, or nothing when somebody has it.
Result<bool> lock_at_once(const UniqueFd& file, const std::string& path) {
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return fail_errno(errno, "lock {}", path);
  }
  return true;
}

}  // namespace

// The kernel gives a lock to those who wait in flock(2) in the order of their coming (since Linux
// 5.0 each waits for the one before it; only who comes between a lock's end and the waking of the
// next is faster), while who asks again and again may always be late. A flock(2) cannot be ended
// from outside, so it waits on a thread of its own.
Result<host::FileLock> LinuxFileLocks::lock(const std::string& path,
                                            std::chrono::milliseconds limit) {
  auto file = open_lock_file(path);
  if (!file) return pass(file);
  auto at_once = lock_at_once(*file, path);
  if (!at_once) return pass(at_once);
  if (*at_once) return host::FileLock(std::move(*file));
  const auto held = [&] {
    return fail(ErrorCode::timeout, "{} is held by another process (waited {} ms)", path,
                limit.count());
  };
  if (limit.count() <= 0) return held();

  const auto waiter = std::make_shared<Waiter>(std::move(*file));
  try {
    std::thread(wait_in_queue, waiter).detach();
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "start a thread that waits for {}", path);
  }
  std::unique_lock guard(waiter->mutex);
  const auto is_over = [&] { return waiter->answer.has_value(); };
  if (!clock_.wait(waiter->changed, guard, limit, is_over)) return held();
  if (*waiter->answer != 0) return fail_errno(*waiter->answer, "lock {}", path);
  return host::FileLock(std::move(waiter->file));
}

}  // namespace railhead::linux
