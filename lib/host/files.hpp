#pragma once
// Files under a root path: sysfs, proc and state folders. Not a port: tests give another root and
// write a real tree there.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace railhead::host {

// An open folder; paths are relative to it, so a deep tree is not walked again for each file.
class Directory {
 public:
  static Result<Directory> open(const std::string& path);

  [[nodiscard]] Result<Directory> sub(const std::string& path) const;
  // The file's text without its trailing newline; not_found when it is missing. At most 64 KiB.
  [[nodiscard]] Result<std::string> read(const std::string& path) const;
  // The first `size` bytes (fewer where the file ends), and no byte more is asked of the kernel: a
  // read of a PCI function's `config` is a read on the bus.
  [[nodiscard]] Result<std::string> read_start(const std::string& path, size_t size) const;
  // The names in a sub folder ("." for itself), unsorted, without "." and "..".
  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& path) const;
  // What a symbolic link says, as it stands.
  [[nodiscard]] Result<std::string> link(const std::string& path) const;
  // The last part of what a symbolic link says: the driver, group or function it names.
  [[nodiscard]] Result<std::string> link_name(const std::string& path) const;
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit Directory(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// Writes all of `text`, in as many write(2)s as it takes.
[[nodiscard]] Result<void> write_all(int fd, std::string_view text);
// Writes a whole file so that a reader sees the old or the new one, never a part: temporary file
// in the same folder, mode set, rename(2).
[[nodiscard]] Result<void> write_file_atomically(const std::string& path, std::string_view text,
                                                 unsigned mode);
// Makes a file that was not there, so that a reader sees none or all of it; already_exists when
// it is there. It is written under the name `temporary`, in the same folder, which nobody else may
// use meanwhile; what a killed writer left there is written over.
[[nodiscard]] Result<void> create_file(const std::string& path, const std::string& temporary,
                                       std::string_view text, unsigned mode);
// The same, and it outlives a power cut once this is done (fsync). A cut before that may leave a
// part of it under its name.
[[nodiscard]] Result<void> create_durable_file(const std::string& path,
                                               const std::string& temporary, std::string_view text,
                                               unsigned mode);
// The same of a file that may be there, which is replaced: a reader sees the old or the new one.
[[nodiscard]] Result<void> replace_file(const std::string& path, const std::string& temporary,
                                        std::string_view text, unsigned mode);
// The same, and it outlives a power cut once this is done (fsync of the file, then of its folder);
// a cut before that leaves the old or the new one.
[[nodiscard]] Result<void> replace_durable_file(const std::string& path,
                                                const std::string& temporary, std::string_view text,
                                                unsigned mode);
// What was made, replaced or removed in it outlives a power cut (fsync).
[[nodiscard]] Result<void> sync_folder(const std::string& path);
// Writes into an existing file (sysctl, sysfs attribute) with one write(2).
[[nodiscard]] Result<void> write_file(const std::string& path, std::string_view text);
[[nodiscard]] Result<std::string> read_file(const std::string& path);
// The same of a regular file of at most `limit` bytes, which nothing but such a file at this very
// path is (no symbolic link): another kind might hold its reader up. Errors: invalid_argument (it
// is none, or larger), not_found, io.
[[nodiscard]] Result<std::string> read_regular_file(const std::string& path, size_t limit);
// The same of a file of this program's own, in a folder that nobody else writes: it may be a
// symbolic link, and has at most 16 MiB.
[[nodiscard]] Result<std::string> read_own_file(const std::string& path);
// The same, and nobody else may have written it: no symbolic link, this user's, and writable for
// no other. Errors: invalid_argument too where it is not so.
[[nodiscard]] Result<std::string> read_private_file(const std::string& path);
// Makes a folder and its missing parents with that mode; no error when it is there.
[[nodiscard]] Result<void> make_directories(const std::string& path, unsigned mode);
// The same for a folder that is this program's alone: 0700 also where somebody else made it, as
// kubelet does for a hostPath volume (0755). A symbolic link is left as it is. Errors: permission
// too (it is another user's).
[[nodiscard]] Result<void> make_private_folder(const std::string& path);
[[nodiscard]] Result<void> remove_file(const std::string& path);  // missing is not an error

}  // namespace railhead::host
