#include "linux/netns.hpp"

#include <cerrno>

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/text.hpp"
#include "host/files.hpp"

namespace railhead::linux {
namespace {

Result<host::Netns> open_netns(const std::string& path) {
  // O_NONBLOCK: whatever else stands at the path must not hold us.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail_errno(errno, "open network namespace {}", path);
  struct statfs filesystem {};
  if (::fstatfs(fd.get(), &filesystem) != 0) return fail_errno(errno, "fstatfs {}", path);
  if (filesystem.f_type != NSFS_MAGIC || ::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET) {
    return fail(ErrorCode::not_found, "{} is not a network namespace (any more)", path);
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "stat {}", path);
  return host::Netns(std::move(fd), {status.st_dev, status.st_ino}, path);
}

// Opens a port on a thread inside the namespace: its socket stays there.
template <class Port>
Result<std::unique_ptr<Port>> open_inside(
    const host::Netns& netns, const std::function<Result<std::unique_ptr<Port>>()>& open) {
  Result<std::unique_ptr<Port>> port;
  auto entered = netns.run([&]() -> Result<void> {
    port = open();
    return {};
  });
  if (!entered) return pass(entered, netns.path());
  if (!port) return pass(port, netns.path());
  return port;
}

}  // namespace

Result<std::unique_ptr<host::NetNamespaces>> LinuxNetns::open(PortFactories factories,
                                                              const std::string& path,
                                                              std::string proc) {
  auto current = open_netns(path);
  if (!current) return pass(current);
  return std::unique_ptr<host::NetNamespaces>(
      new LinuxNetns(std::move(factories), std::move(*current), std::move(proc)));
}

Result<host::Netns> LinuxNetns::open(const std::string& path) { return open_netns(path); }

// A process may end, or enter another namespace, between the look and the opening; those of other
// users are not ours to look at where we are not root. None of these is the one, then.
Result<host::Netns> LinuxNetns::find(host::NetnsId id) {
  auto processes = host::Directory::open(proc_);
  if (!processes) return pass(processes);
  auto names = processes->list(".");
  if (!names) return pass(names);
  for (const auto& name : *names) {
    if (!parse_int<uint32_t>(name)) continue;
    const auto relative = fmt::format("{}/ns/net", name);
    struct stat status {};
    if (::fstatat(processes->fd(), relative.c_str(), &status, 0) != 0) continue;
    if (host::NetnsId{status.st_dev, status.st_ino} != id) continue;
    auto opened = open_netns(proc_ + '/' + relative);
    if (opened && opened->id() == id) return opened;
  }
  return fail(ErrorCode::not_found, "no process is in the network namespace {}", id.inode);
}

Result<host::Netns> LinuxNetns::current() {
  UniqueFd fd(::fcntl(current_.fd(), F_DUPFD_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "dup {}", current_.path());
  return host::Netns(std::move(fd), current_.id(), current_.path());
}

Result<std::unique_ptr<host::Links>> LinuxNetns::links(const host::Netns& netns) {
  return open_inside(netns, factories_.links);
}

Result<std::unique_ptr<host::RdmaDevices>> LinuxNetns::rdma(const host::Netns& netns) {
  return open_inside(netns, factories_.rdma);
}

Result<void> LinuxNetns::run(const host::Netns& netns, const std::function<Result<void>()>& work) {
  return netns.run(work);
}

}  // namespace railhead::linux
