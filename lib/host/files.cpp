#include "host/files.hpp"

#include <array>
#include <cerrno>
#include <cstdio>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace railhead::host {
namespace {

constexpr size_t kMaxFile = 64 * 1024;

Result<std::string> read_link(int folder, const char* path) {
  char target[4096];
  const ssize_t size = ::readlinkat(folder, path, target, sizeof(target));
  if (size < 0) return fail_errno(errno, "read the link");
  return std::string(target, static_cast<size_t>(size));
}

// What stands behind an open folder, for messages: asked only when something went wrong.
std::string full_path(int folder, const std::string& path) {
  auto base = read_link(AT_FDCWD, fmt::format("/proc/self/fd/{}", folder).c_str());
  return base.value_or("") + "/" + path;
}

// A file that is not in proc ends where a read gives less than was asked for; in proc a read may
// give less at any time.
enum class ShortRead { is_the_end, may_go_on };

// `limit`: more than that is an error.
Result<std::string> read_all(int fd, size_t limit, ShortRead short_read) {
  std::string text(4096 + 1, '\0');  // a sysfs attribute has at most 4096 bytes: one read
  size_t size = 0;
  for (;;) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read");
    size += static_cast<size_t>(got);
    if (size > limit) return fail_errno(EFBIG, "more than {} bytes", limit);
    if (got == 0 || (short_read == ShortRead::is_the_end && size < text.size())) break;
    if (size == text.size()) text.resize(2 * size);
  }
  text.resize(size);
  return text;
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> write_temporary(int fd, std::string_view text, unsigned mode) {
  if (auto written = write_all(fd, text); !written) return written;
  if (::fchmod(fd, mode) != 0) return fail_errno(errno, "chmod");
  return {};
}

}  // namespace

Result<Directory> Directory::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open {}", path);
  return Directory(std::move(fd));
}

Result<Directory> Directory::sub(const std::string& path) const {
  UniqueFd fd(::openat(fd_.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open {}", full_path(fd_.get(), path));
  return Directory(std::move(fd));
}

Result<std::string> Directory::read(const std::string& path) const {
  const UniqueFd file(::openat(fd_.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(errno, "open {}", full_path(fd_.get(), path));
  auto text = read_all(file.get(), kMaxFile, ShortRead::is_the_end);
  if (!text) return pass(text, full_path(fd_.get(), path));
  if (text->ends_with('\n')) text->pop_back();
  return text;
}

Result<std::string> Directory::read_start(const std::string& path, size_t size) const {
  const UniqueFd file(::openat(fd_.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(errno, "open {}", full_path(fd_.get(), path));
  std::string bytes(size, '\0');
  const ssize_t got = ::read(file.get(), bytes.data(), size);
  if (got < 0) return fail_errno(errno, "read {}", full_path(fd_.get(), path));
  bytes.resize(static_cast<size_t>(got));
  return bytes;
}

// getdents64(2) itself: opendir(3) adds three calls per folder, and there are thousands.
Result<std::vector<std::string>> Directory::list(const std::string& path) const {
  const UniqueFd folder(::openat(fd_.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail_errno(errno, "open {}", full_path(fd_.get(), path));
  std::vector<std::string> names;
  alignas(dirent64) std::array<char, 8192> entries;
  for (;;) {
    const ssize_t got = ::getdents64(folder.get(), entries.data(), entries.size());
    if (got < 0) return fail_errno(errno, "list {}", full_path(fd_.get(), path));
    if (got == 0) return names;
    for (ssize_t at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries.data() + at);
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      at += entry->d_reclen;
    }
  }
}

Result<std::string> Directory::link(const std::string& path) const {
  auto target = read_link(fd_.get(), path.c_str());
  if (!target) return pass(target, full_path(fd_.get(), path));
  return target;
}

Result<std::string> Directory::link_name(const std::string& path) const {
  auto target = link(path);
  if (!target) return target;
  return target->substr(target->rfind('/') + 1);  // npos + 1 is 0
}

Result<void> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, "write");
    text.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Result<void> write_file_atomically(const std::string& path, std::string_view text, unsigned mode) {
  std::string temporary = path + ".XXXXXX";
  const UniqueFd file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file) return fail_errno(errno, "make a temporary file {}", temporary);

  auto written = write_temporary(file.get(), text, mode);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = fail_errno(errno, "rename {}", temporary);
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return pass(written, "write " + path);
  }
  return {};
}

namespace {

// By way of `temporary`; `flags` are renameat2(2)'s.
enum class Durable { no, yes };

Result<void> put_file(const std::string& path, const std::string& temporary, std::string_view text,
                      unsigned mode, unsigned flags, Durable durable = Durable::no) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
  const UniqueFd file(::open(temporary.c_str(), kFlags, mode));
  if (!file) return fail_errno(errno, "make a temporary file {}", temporary);
  auto written = write_all(file.get(), text);
  if (written && ::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), flags) != 0) {
    written = fail_errno(errno, "rename {}", temporary);
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return pass(written, "write " + path);
  }
  // One flush for both: that of a file takes what its journal has of the rename along.
  if (durable == Durable::yes && ::fsync(file.get()) != 0) {
    const auto failed = fail_errno(errno, "fsync {}", path);
    ::unlink(path.c_str());
    return failed;
  }
  return {};
}

}  // namespace

Result<void> create_file(const std::string& path, const std::string& temporary,
                         std::string_view text, unsigned mode) {
  return put_file(path, temporary, text, mode, RENAME_NOREPLACE);
}

Result<void> create_durable_file(const std::string& path, const std::string& temporary,
                                 std::string_view text, unsigned mode) {
  return put_file(path, temporary, text, mode, RENAME_NOREPLACE, Durable::yes);
}

Result<void> replace_file(const std::string& path, const std::string& temporary,
                          std::string_view text, unsigned mode) {
  return put_file(path, temporary, text, mode, 0);
}

Result<void> replace_durable_file(const std::string& path, const std::string& temporary,
                                  std::string_view text, unsigned mode) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
  const UniqueFd file(::open(temporary.c_str(), kFlags, mode));
  if (!file) return fail_errno(errno, "make a temporary file {}", temporary);
  auto written = write_all(file.get(), text);
  if (written && ::fsync(file.get()) != 0) written = fail_errno(errno, "fsync {}", temporary);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = fail_errno(errno, "rename {}", temporary);
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return pass(written, "write " + path);
  }
  return sync_folder(path.substr(0, path.rfind('/')));
}

Result<void> sync_folder(const std::string& path) {
  const UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail_errno(errno, "open {}", path);
  if (::fsync(folder.get()) != 0) return fail_errno(errno, "fsync {}", path);
  return {};
}

Result<void> write_file(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (!file) return fail_errno(errno, "open {}", path);
  const ssize_t written = ::write(file.get(), text.data(), text.size());
  if (written < 0) return fail_errno(errno, "write '{}' to {}", text, path);
  if (static_cast<size_t>(written) != text.size()) return fail_errno(EIO, "write to {}", path);
  return {};
}

Result<std::string> read_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(errno, "open {}", path);
  auto text = read_all(file.get(), SIZE_MAX / 2, ShortRead::may_go_on);
  if (!text) return pass(text, path);
  return text;
}

namespace {

constexpr size_t kMostOfOwn = 16 << 20;

enum class Whose { anybodys, own };

Result<std::string> read_regular(const std::string& path, size_t limit, int flags,
                                 Whose whose = Whose::anybodys) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags));
  if (!file && errno == ELOOP) {
    return fail(ErrorCode::invalid_argument, "{} is a symbolic link, not a regular file", path);
  }
  if (!file) return fail_errno(errno, "open {}", path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, "stat {}", path);
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::invalid_argument, "{} is no regular file", path);
  }
  if (whose == Whose::own && (status.st_uid != ::geteuid() || (status.st_mode & 022) != 0)) {
    return fail(ErrorCode::invalid_argument,
                "{} belongs to user {} with mode {:o}: expected a file that only this user may "
                "write",
                path, status.st_uid, status.st_mode & 07777);
  }
  if (static_cast<size_t>(status.st_size) > limit) {
    return fail(ErrorCode::invalid_argument, "{} has {} bytes; at most {} are read", path,
                status.st_size, limit);
  }
  auto text = read_all(file.get(), limit, ShortRead::may_go_on);
  if (!text) return pass(text, path);
  return text;
}

}  // namespace

Result<std::string> read_regular_file(const std::string& path, size_t limit) {
  return read_regular(path, limit, O_NOFOLLOW);
}

Result<std::string> read_own_file(const std::string& path) {
  return read_regular(path, kMostOfOwn, 0);
}

Result<std::string> read_private_file(const std::string& path) {
  return read_regular(path, kMostOfOwn, O_NOFOLLOW, Whose::own);
}

Result<void> make_directories(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) == 0) return {};
  if (errno == ENOENT && path.find('/') != std::string::npos) {
    if (auto parent = make_directories(folder_of(path), mode); !parent) return parent;
    if (::mkdir(path.c_str(), mode) == 0) return {};
  }
  const int os_errno = errno;
  struct stat status {};
  if (os_errno == EEXIST && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return {};
  }
  return fail_errno(os_errno, "make the folder {}", path);
}

Result<void> make_private_folder(const std::string& path) {
  constexpr mode_t kPrivate = 0700;
  if (auto made = make_directories(path, kPrivate); !made) return made;
  const UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder && (errno == ENOTDIR || errno == ELOOP)) return {};  // a symbolic link
  if (!folder) return fail_errno(errno, "open {}", path);
  struct stat status {};
  if (::fstat(folder.get(), &status) != 0) return fail_errno(errno, "stat {}", path);
  if (status.st_uid != ::geteuid()) {
    return fail(
        ErrorCode::permission,
        "{} belongs to user {}, who could write what this program trusts: give it to user {}", path,
        status.st_uid, ::geteuid());
  }
  if ((status.st_mode & 07777) == kPrivate) return {};
  if (::fchmod(folder.get(), kPrivate) != 0) return fail_errno(errno, "chmod {}", path);
  return {};
}

Result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "remove {}", path);
  return {};
}

}  // namespace railhead::host
