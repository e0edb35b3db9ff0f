#pragma once
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace railhead::cni {

// A folder in which only one process at a time writes by way of this. It holds the lock (flock(2))
// of a file in it, `.railhead.lock`, which only its owner can open: the folder itself everybody who
// may read it could lock. The file stays, as who watches the folder would see it come and go.
class LockedFolder {
 public:
  // timeout: another process had it for a minute. invalid_argument: that file is no file of ours.
  [[nodiscard]] static Result<LockedFolder> open(const std::string& path, Clock& clock);

  [[nodiscard]] int get() const { return folder_.get(); }
  // Removes the file; the last that is done in the folder.
  [[nodiscard]] Result<> remove_lock() const;

 private:
  LockedFolder(UniqueFd folder, UniqueFd lock)
      : folder_(std::move(folder)), lock_(std::move(lock)) {}
  UniqueFd folder_;
  UniqueFd lock_;
};

}  // namespace railhead::cni
