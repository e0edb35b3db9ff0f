#pragma once
#include <string>

#include "host/folder_watch.hpp"

namespace railhead::app {

// Says when the configuration, a file or a folder of files, may have changed. A ConfigMap's files
// are links through "..data", which kubelet replaces; a folder of the host may be replaced as a
// whole, and is followed.
class ConfigWatch {
 public:
  // Errors: what keeps the folder from being watched (inotify).
  [[nodiscard]] static Result<ConfigWatch> open(const std::string& path);

  [[nodiscard]] bool touched();                         // since the last call; does not wait
  [[nodiscard]] int fd() const { return watch_.fd(); }  // readable: touched() has something to say

 private:
  ConfigWatch(host::FolderWatch watch, std::string file)
      : watch_(std::move(watch)), file_(std::move(file)) {}
  host::FolderWatch watch_;
  std::string file_;  // its name in the folder; empty: all of the folder counts
};

}  // namespace railhead::app
