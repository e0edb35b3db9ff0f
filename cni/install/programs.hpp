#pragma once
// The programs in the folder that the container runtime looks for plugins in. The folder is root's;
// what stands in it may be anybody's, and other installers write there at any time.
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "cni/install/locked_folder.hpp"

namespace railhead::cni {

// Every name this program may be installed under, its own two first.
const std::vector<std::string>& program_names();
// By which field an operator's installer of the other program of that name is known; "" for a name
// that is only ours.
std::string_view installer_of(std::string_view name);

// What became of one name.
enum class Placed {
  unchanged,
  installed,   // there was nothing
  renewed,     // another version of this program
  taken_over,  // a foreign program, which is kept as .NAME.railhead-original
  came_back,   // the same, where one had been kept before: the newer one is kept
  refused,     // a foreign program, which was left
  other_version_left,
};
enum class Restored {
  nothing,       // neither this program nor a kept one
  removed,       // this program
  put_back,      // the kept one stands there again
  foreign_left,  // a foreign program stood there already; an older kept one is removed
};

// Whose file stands there is told by its content, whatever happened to the folder: this program
// carries a mark in every version. Nothing is written through symbolic links, and every name has at
// any time the whole old or the whole new file. One process at a time (LockedFolder).
class ProgramFolder {
 public:
  // Makes the folder where missing. `program`: the file to install. timeout: another process kept
  // the folder locked for a minute.
  [[nodiscard]] static Result<ProgramFolder> open(const std::string& path,
                                                  const std::string& program, Clock& clock);

  enum class Foreign { refuse, take_over };
  enum class OtherVersion { renew, leave };
  [[nodiscard]] Result<Placed> place(const std::string& name, Foreign foreign,
                                     OtherVersion other) const;
  [[nodiscard]] Result<Restored> restore(const std::string& name) const;
  // Nobody is to find that anything was ever done here.
  [[nodiscard]] Result<> remove_lock() const { return folder_.remove_lock(); }

 private:
  enum class Whose { nobodys, ours_as_is, ours, foreign, no_programs };
  ProgramFolder(std::string path, LockedFolder folder, std::string content)
      : path_(std::move(path)), folder_(std::move(folder)), content_(std::move(content)) {}
  [[nodiscard]] Result<Whose> whose(const std::string& name) const;
  [[nodiscard]] Result<> keep(const std::string& name) const;
  [[nodiscard]] Result<> rename(const std::string& from, const std::string& to) const;
  [[nodiscard]] Result<> remove(const std::string& name) const;

  std::string path_;
  LockedFolder folder_;
  std::string content_;  // of the program
};

// By which the file at that path is known again without reading it: inode, size and when it was
// changed; "" where none stands there.
[[nodiscard]] std::string file_identity(const std::string& path);

// Writes a file of the folder `folder` anew, whole or not at all, and through no symbolic link: by
// way of `temporary`, which nobody else may use meanwhile, and onto the disk before it returns.
[[nodiscard]] Result<> put_durably(int folder, const std::string& name,
                                   const std::string& temporary, std::string_view content,
                                   unsigned mode);

}  // namespace railhead::cni
