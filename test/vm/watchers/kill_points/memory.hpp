#pragma once
// The memory and the files of a program that is traced.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include <sys/types.h>
#include <sys/uio.h>

namespace kill_points {

template <class T>
T peek(pid_t pid, uint64_t address) {
  T value{};
  const iovec local{&value, sizeof value};
  const iovec remote{reinterpret_cast<void*>(address), sizeof value};
  process_vm_readv(pid, &local, 1, &remote, 1, 0);
  return value;
}

template <class T>
void poke(pid_t pid, uint64_t address, T value) {
  const iovec local{&value, sizeof value};
  const iovec remote{reinterpret_cast<void*>(address), sizeof value};
  process_vm_writev(pid, &local, 1, &remote, 1, 0);
}

std::string peek_text(pid_t pid, uint64_t address);

std::string link_target(const std::string& link);  // "?" where there is none
std::string file_of(pid_t pid, uint64_t fd);
// The netlink protocol of a descriptor; nothing when it is no netlink socket.
std::optional<int> netlink_protocol(pid_t pid, uint64_t fd);

}  // namespace kill_points
