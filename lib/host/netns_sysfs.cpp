#include "host/netns_sysfs.hpp"

#include <cerrno>
#include <optional>

#include <sys/mount.h>

namespace railhead::host {
namespace {

// A new sysfs shows the network namespace of the thread that makes it.
Result<Directory> mount_sysfs() {
  const UniqueFd context(fsopen("sysfs", FSOPEN_CLOEXEC));
  if (!context) return fail_errno(errno, "fsopen sysfs");
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return fail_errno(errno, "make a sysfs");
  }
  const UniqueFd mount(fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY));
  if (!mount) return fail_errno(errno, "mount a sysfs");
  return Directory::open(fmt::format("/proc/thread-self/fd/{}", mount.get()));
}

}  // namespace

Result<Directory> open_sysfs(NetNamespaces& namespaces, const Netns& netns) {
  std::optional<Directory> sysfs;
  auto entered = namespaces.run(netns, [&]() -> Result<void> {
    auto mounted = mount_sysfs();
    if (!mounted) return pass(mounted);
    sysfs.emplace(std::move(*mounted));
    return {};
  });
  if (!entered) return pass(entered, "sysfs of " + netns.path());
  return std::move(*sysfs);
}

}  // namespace railhead::host
