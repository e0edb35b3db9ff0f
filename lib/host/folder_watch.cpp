#include "host/folder_watch.hpp"

#include <cerrno>
#include <climits>
#include <utility>

#include <sys/inotify.h>

#include "base/text.hpp"

namespace railhead::host {
namespace {

constexpr uint32_t kNames = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM;

}  // namespace

Result<FolderWatch> FolderWatch::open() {
  UniqueFd fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) return fail_errno(errno, "inotify (fs.inotify.max_user_instances may be too low)");
  return FolderWatch(std::move(fd));
}

// A folder may be watched for several reasons: its events are added up.
Result<void> FolderWatch::watch(const std::string& folder, uint32_t events, Reason reason) {
  const int watch = inotify_add_watch(fd_.get(), folder.c_str(), events | IN_ONLYDIR | IN_MASK_ADD);
  if (watch < 0) return fail_errno(errno, "watch {}", folder);
  reasons_.emplace(watch, std::move(reason));
  return {};
}

// From the top, so that what comes while we go down is heard of.
Result<void> FolderWatch::follow(const std::string& folder, What what) {
  std::string path = folder.starts_with('/') ? "/" : ".";
  for (const auto name : split(folder, '/')) {
    if (name.empty() || name == ".") continue;
    // One that may not be watched is not seen to be replaced; that is no reason to go without.
    (void)watch(path, kNames, {std::string(name)});
    path += fmt::format("/{}", name);
  }
  return watch(path, what == What::names ? kNames : kNames | IN_CLOSE_WRITE, {});
}

Result<void> FolderWatch::add(const std::string& folder, What what) {
  const auto [known, is_new] = folders_.emplace(folder, what);
  if (what == What::names_and_contents) known->second = what;
  auto followed = follow_all(folder);
  if (!followed && is_new) {
    folders_.erase(known);
    (void)follow_all();
  }
  return followed;
}

Result<void> FolderWatch::follow_all(const std::string& wanted) {
  Result<void> result;
  const auto before = std::exchange(reasons_, {});
  for (const auto& [folder, what] : folders_) {
    auto followed = follow(folder, what);
    if (folder == wanted) result = std::move(followed);
  }
  for (const auto& [watch, reason] : before) {
    if (!reasons_.contains(watch)) inotify_rm_watch(fd_.get(), watch);
  }
  return result;
}

std::vector<std::string> FolderWatch::read_names() {
  std::vector<std::string> names;
  bool replaced = false;
  alignas(inotify_event) char buffer[16 * (sizeof(inotify_event) + NAME_MAX + 1)];
  for (ssize_t size; (size = read(fd_.get(), buffer, sizeof(buffer))) > 0;) {
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      const std::string name = event->len > 0 ? event->name : "";
      // Without a name the folder itself is gone, or events were lost.
      if (event->wd < 0) replaced = true;
      const auto [first, last] = reasons_.equal_range(event->wd);
      for (auto one = first; one != last; ++one) {
        const auto& next = one->second.next;
        if (name.empty() || name == next) replaced = true;
        if (next.empty() && !name.empty()) names.push_back(name);
      }
    }
  }
  if (replaced) {
    (void)follow_all();  // one that is missing now is heard of by the folder above it
    names.emplace_back();
  }
  return names;
}

}  // namespace railhead::host
