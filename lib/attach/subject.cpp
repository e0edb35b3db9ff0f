#include "attach/subject.hpp"

#include <cerrno>

namespace railhead::attach {

Result<host::Links*> Pod::links(host::NetNamespaces& namespaces) {
  if (!links_) {
    auto opened = namespaces.links(netns);
    if (!opened) return pass(opened);
    links_ = std::move(*opened);
  }
  return links_.get();
}

Result<void> patiently(const Work& work, const std::function<Result<void>()>& step) {
  constexpr std::chrono::seconds kLongest{5};  // iavf_change_mtu() itself waits as long
  constexpr std::chrono::milliseconds kPause{50};
  Result<void> done;
  const auto is_over = [&] {
    done = step();
    return done || (done.error().os_errno != EBUSY && done.error().os_errno != EAGAIN);
  };
  wait_until(work.host.clock, work.deadline.left(kLongest), kPause, is_over);
  return done;
}

Result<host::FileLock> lock_rdma(const Work& work) {
  auto lock = work.host.locks.lock(work.store.rdma_lock(), work.deadline.left());
  if (!is(lock, ErrorCode::timeout)) return lock;
  auto error = lock.error();
  error.reason = reason::kQueued;
  return Failure(std::move(error));
}

std::string temporary_name(const device::DeviceId& device) {
  if (const auto pci = device.pci()) {
    return fmt::format("rh{:x}{:02x}{:02x}{:x}", pci->domain, pci->bus, pci->device, pci->function);
  }
  // FNV-1a: long names must stay apart in few characters.
  uint32_t hash = 0x811c9dc5;
  for (const char c : device.name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193;
  return fmt::format("rh{:08x}", hash);
}

}  // namespace railhead::attach
