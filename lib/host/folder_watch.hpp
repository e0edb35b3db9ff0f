#pragma once
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace railhead::host {

// Says which names came, went or were written in some folders (inotify). The names are hints to
// look again: events may be merged or lost.
class FolderWatch {
 public:
  [[nodiscard]] static Result<FolderWatch> open();

  // Again for the same folder is not an error: a folder made anew is watched anew.
  // `what`: written files count only where asked for.
  enum class What { names, names_and_contents };
  [[nodiscard]] Result<void> add(const std::string& folder, What what = What::names);

  // What happened since the last call, without waiting. An empty name: anything may have happened
  // (a watched folder is gone, or there were too many events to tell).
  [[nodiscard]] std::vector<std::string> read_names();

  [[nodiscard]] int fd() const { return fd_.get(); }  // readable: read_names() has something

 private:
  explicit FolderWatch(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace railhead::host
