#include "plugin/kubelet/socket_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unique_fd.hpp"

namespace railhead::kubelet {
namespace {

bool is_dead_socket(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return false;
  std::memcpy(address.sun_path, path.data(), path.size());
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return false;
  return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
         errno == ECONNREFUSED;
}

}  // namespace

std::optional<FileIdentity> FileIdentity::of(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return std::nullopt;
  return FileIdentity{info.st_dev, info.st_ino, info.st_ctim.tv_sec, info.st_ctim.tv_nsec};
}

Result<SocketFile> SocketFile::publish(const std::string& hidden, std::string path) {
  struct stat info {};
  if (lstat(hidden.c_str(), &info) != 0) return fail_errno(errno, "{}", hidden);
  if (chmod(hidden.c_str(), 0600) != 0) return fail_errno(errno, "chmod {}", hidden);
  if (std::rename(hidden.c_str(), path.c_str()) != 0) {
    return fail_errno(errno, "rename {} to {}", hidden, path);
  }
  return SocketFile(std::move(path), info.st_dev, info.st_ino);
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::move(other.path_)), device_(other.device_), inode_(other.inode_) {
  other.path_.clear();
}

SocketFile::~SocketFile() {
  if (!path_.empty() && stands()) unlink(path_.c_str());
}

bool SocketFile::stands() const {
  struct stat info {};
  return lstat(path_.c_str(), &info) == 0 && info.st_dev == device_ && info.st_ino == inode_;
}

void remove_dead_sockets(const std::string& folder, std::string_view prefix) {
  std::error_code failed;  // a folder that cannot be read has nothing to remove
  std::filesystem::directory_iterator entry(folder, failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    const std::string path = entry->path();
    const std::string file = entry->path().filename();
    const auto name = std::string_view(file).substr(file.starts_with('.') ? 1 : 0);
    if (name.starts_with(prefix) && is_dead_socket(path)) unlink(path.c_str());
  }
}

}  // namespace railhead::kubelet
