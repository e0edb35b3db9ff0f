#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace railhead::host {

// Says which names came, went or were written in some folders (inotify). The names are hints to
// look again: events may be merged or lost. A folder is followed by its path: when it or a folder
// above it is renamed away, removed or made anew, what stands at the path then is watched. (What a
// symbolic link above it leads through is not.)
class FolderWatch {
 public:
  [[nodiscard]] static Result<FolderWatch> open();

  // Again for the same folder is not an error. Errors: it is not there, or no folder.
  // `what`: written files count only where asked for.
  enum class What { names, names_and_contents };
  [[nodiscard]] Result<void> add(const std::string& folder, What what = What::names);

  // What happened since the last call, without waiting. An empty name: anything may have happened
  // (another folder stands at the path, or none, or there were too many events to tell).
  [[nodiscard]] std::vector<std::string> read_names();

  [[nodiscard]] int fd() const { return fd_.get(); }  // readable: read_names() has something

 private:
  // Why a folder is watched: for what is in it, or for one name, which leads on to a folder.
  struct Reason {
    std::string next;  // "": it is the folder itself
  };
  explicit FolderWatch(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> watch(const std::string& folder, uint32_t events, Reason reason);
  Result<void> follow(const std::string& folder, What what);
  // What stands at all the paths now; the result is that of `wanted`.
  Result<void> follow_all(const std::string& wanted = {});

  UniqueFd fd_;
  std::map<std::string, What> folders_;
  std::multimap<int, Reason> reasons_;  // by watch descriptor
};

}  // namespace railhead::host
