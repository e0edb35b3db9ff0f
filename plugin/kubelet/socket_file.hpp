#pragma once
// The files of unix sockets in folders that others write to as well.
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "base/error.hpp"

namespace railhead::kubelet {

// Which file stands under a name; a file made anew is another one, even with its inode number
// used again.
struct FileIdentity {
  dev_t device;
  ino_t inode;
  long changed_s;
  long changed_ns;
  static std::optional<FileIdentity> of(const std::string& path);  // empty: nothing there
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

// The file of a socket on which this process listens. Removes that file, and no other that took
// its name, when it goes.
class SocketFile {
 public:
  // Gives the socket that listens under `hidden` (same folder) its real name, replacing what is
  // there. So nobody finds a socket that does not listen yet, and what the listener unlinks at its
  // own end, by the hidden name, is nobody's.
  [[nodiscard]] static Result<SocketFile> publish(const std::string& hidden, std::string path);

  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&&) = delete;
  ~SocketFile();

  // Whether the file is still there under its name.
  [[nodiscard]] bool stands() const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  SocketFile(std::string path, dev_t device, ino_t inode)
      : path_(std::move(path)), device_(device), inode_(inode) {}

  std::string path_;  // empty: moved from
  dev_t device_;
  ino_t inode_;
};

// Removes the sockets in `folder` whose names, with or without the dot of a hidden one, start with
// `prefix` and on which nobody listens: those of a process that was killed. Such a socket can never
// be listened on again.
void remove_dead_sockets(const std::string& folder, std::string_view prefix);

}  // namespace railhead::kubelet
