#include "host/folder_watch.hpp"

#include <cerrno>
#include <climits>

#include <sys/inotify.h>

namespace railhead::host {

Result<FolderWatch> FolderWatch::open() {
  UniqueFd fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) return fail_errno(errno, "inotify (fs.inotify.max_user_instances may be too low)");
  return FolderWatch(std::move(fd));
}

Result<void> FolderWatch::add(const std::string& folder, What what) {
  uint32_t mask = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_ONLYDIR;
  if (what == What::names_and_contents) mask |= IN_CLOSE_WRITE;
  if (inotify_add_watch(fd_.get(), folder.c_str(), mask) < 0) {
    return fail_errno(errno, "watch {}", folder);
  }
  return {};
}

std::vector<std::string> FolderWatch::read_names() {
  std::vector<std::string> names;
  alignas(inotify_event) char buffer[16 * (sizeof(inotify_event) + NAME_MAX + 1)];
  for (;;) {
    const ssize_t size = read(fd_.get(), buffer, sizeof(buffer));
    if (size <= 0) return names;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      names.emplace_back(event->len > 0 ? event->name : "");
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
}

}  // namespace railhead::host
