#include "test/vm/watchers/kill_points/memory.hpp"

#include <array>
#include <cstring>
#include <fstream>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace kill_points {

std::string peek_text(pid_t pid, uint64_t address) {
  const auto bytes = peek<std::array<char, 200>>(pid, address);
  return {bytes.data(), strnlen(bytes.data(), bytes.size())};
}

std::string link_target(const std::string& link) {
  std::array<char, 200> target{};
  const auto size = readlink(link.c_str(), target.data(), target.size());
  return size < 0 ? "?" : std::string(target.data(), static_cast<size_t>(size));
}

std::string file_of(pid_t pid, uint64_t fd) {
  return link_target("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd));
}

namespace {

// The process that a thread is of.
pid_t process_of(pid_t thread) {
  std::ifstream status("/proc/" + std::to_string(thread) + "/status");
  for (std::string word; status >> word;) {
    if (word != "Tgid:") continue;
    pid_t process = 0;
    status >> process;
    return process;
  }
  return thread;
}

}  // namespace

std::optional<int> netlink_protocol(pid_t pid, uint64_t fd) {
  const auto process = static_cast<int>(syscall(SYS_pidfd_open, process_of(pid), 0));
  const auto copy = static_cast<int>(syscall(SYS_pidfd_getfd, process, fd, 0));
  std::optional<int> found;
  int domain = 0;
  int protocol = 0;
  socklen_t size = sizeof domain;
  if (copy >= 0 && getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
      domain == AF_NETLINK && getsockopt(copy, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0) {
    found = protocol;
  }
  close(copy);
  close(process);
  return found;
}

}  // namespace kill_points
