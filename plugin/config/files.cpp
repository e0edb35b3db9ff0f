#include "plugin/config/files.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "host/files.hpp"
#include "plugin/config/config.hpp"

namespace railhead::config {
namespace {

bool counts(std::string_view name) {
  return !name.starts_with('.') &&
         (name.ends_with(".json") || name.ends_with(".yaml") || name.ends_with(".yml"));
}

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

Result<UniqueFd> open_file(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open {}", path);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "stat {}", path);
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::invalid_argument, "{}: is {}; expected a file", path,
                kind_of(status.st_mode));
  }
  if (static_cast<uint64_t>(status.st_size) > kMaxSize) {
    return fail(ErrorCode::invalid_argument, "{}: {} bytes; expected at most {}", path,
                status.st_size, kMaxSize);
  }
  return fd;
}

// A FIFO is waited for, a device may be set going by being opened, and either may never end: what
// it is must be known before it is opened, and again after, since it may be replaced between.
Result<std::string> read_bounded(const std::string& path) {
  if (const auto looked_at = open_file(path, O_PATH); !looked_at) return pass(looked_at);
  const auto file = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!file) return pass(file);
  std::string text(kMaxSize + 1, '\0');  // one more than is taken: it may grow meanwhile
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file->get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read {}", path);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  text.resize(size);  // parse() tells of one that is too large
  return text;
}

}  // namespace

Result<std::vector<Source>> read_sources(const std::string& path) {
  const auto folder = host::Directory::open(path);
  if (!folder && folder.error().os_errno == ENOTDIR) {
    auto text = read_bounded(path);
    if (!text) return pass(text);
    return std::vector{Source{"", std::move(*text)}};
  }
  if (!folder) return pass(folder);
  auto names = folder->list(".");
  if (!names) return pass(names, path);
  std::erase_if(*names, [](const std::string& name) { return !counts(name); });
  if (names->empty()) {
    return fail(ErrorCode::not_found, "{}: no *.json, *.yaml or *.yml in this folder", path);
  }
  std::sort(names->begin(), names->end());
  std::vector<Source> sources;
  size_t size = 0;
  for (const auto& name : *names) {
    auto file = fmt::format("{}/{}", path, name);
    auto text = read_bounded(file);
    if (!text) return pass(text);
    size += text->size();
    if (size > kMaxSizeOfAll) {
      return fail(ErrorCode::invalid_argument, "{}: its files have more than {} bytes together",
                  path, kMaxSizeOfAll);
    }
    sources.push_back({std::move(file), std::move(*text)});
  }
  return sources;
}

}  // namespace railhead::config
