#pragma once
#include <memory>
#include <string>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace railhead::app {

// One agent serves a node at a time. In a rolling update the next one is there before it goes.
class InstanceLock {
 public:
  // A file in the run folder, held by flock(2): the kernel frees it however its holder ends.
  [[nodiscard]] static Result<InstanceLock> open(const std::string& run_dir);

  // Without waiting. busy: another agent holds it; the message says who. io: nobody can tell.
  [[nodiscard]] Result<void> take();
  // Waits for as long as it takes; any number of threads may. The lock is this object's afterwards.
  [[nodiscard]] Result<void> wait() const;
  // Says who holds it: `who`, for the message of those who find it busy.
  void sign(const std::string& who) const;
  // Who holds it, as its holder said; "" when it did not.
  [[nodiscard]] std::string holder() const;
  // Whether the lock is the one that another agent would find. Errors: its file was removed.
  [[nodiscard]] Result<void> stands() const;
  // At once, also while other threads of this process keep it from ending.
  void release() const;

 private:
  InstanceLock(std::string path, std::shared_ptr<const UniqueFd> fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  std::shared_ptr<const UniqueFd> fd_;  // with who waits
};

}  // namespace railhead::app
