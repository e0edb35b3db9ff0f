#include "attach/subject.hpp"

#include <algorithm>

#include "attach/vf_settings.hpp"

namespace railhead::attach {

Result<host::Links*> Pod::links(host::NetNamespaces& namespaces) {
  if (!links_) {
    auto opened = namespaces.links(netns);
    if (!opened) return pass(opened);
    links_ = std::move(*opened);
  }
  return links_.get();
}

Result<void> patiently(Subject& subject, const std::function<Result<void>()>& step) {
  constexpr std::chrono::nanoseconds kLongest = std::chrono::seconds(5);  // as iavf_change_mtu()
  constexpr std::chrono::milliseconds kPause{50};
  Result<void> done;
  const auto is_over = [&] {
    done = step();
    return done || !is_not_ready(done.error());
  };
  if (is_over()) return done;
  auto& clock = subject.host().clock;
  const auto start = clock.now();
  const auto most = std::min(kLongest, subject.patience);
  wait_until(clock, std::min<std::chrono::nanoseconds>(subject.work.deadline.left(), most), kPause,
             is_over);
  subject.patience -= std::min<std::chrono::nanoseconds>(clock.now() - start, subject.patience);
  return done;
}

Result<host::FileLock> lock_rdma(const Work& work) {
  auto lock = work.host.locks.lock(work.store.rdma_lock(), work.deadline.left());
  if (!is(lock, ErrorCode::timeout)) return lock;
  auto error = lock.error();
  error.reason = reason::kQueued;
  return Failure(std::move(error));
}

Result<host::FileLock> lock_guids(const Work& work) {
  constexpr std::chrono::seconds kLimit{10};  // it is held while records are read and written
  auto lock = work.host.locks.lock(work.store.guid_lock(), work.deadline.left(kLimit));
  if (!is(lock, ErrorCode::timeout)) return lock;
  auto error = lock.error();
  error.reason = reason::kQueued;
  return Failure(std::move(error));
}

std::string temporary_name(const device::DeviceId& device) {
  if (const auto pci = device.pci()) {
    return fmt::format("rh{:x}{:02x}{:02x}{:x}", pci->domain, pci->bus, pci->device, pci->function);
  }
  // FNV-1a of 32 bits: long names must stay apart in few characters, and the next version must find
  // what this one left.
  uint32_t hash = 0x811c9dc5;
  for (const char c : device.name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193;
  return fmt::format("rh{:08x}", hash);
}

}  // namespace railhead::attach
