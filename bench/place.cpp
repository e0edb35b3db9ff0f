#include "bench/place.hpp"

#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/error.hpp"

namespace railhead::bench {
namespace {

void must(bool done, const std::string& what) {
  if (!done) throw std::runtime_error(what + ": " + errno_text(errno));
}

void sh(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error(command + " failed");
}

void make_pod() {
  const std::string path = Place::kPod;
  must(::open(path.c_str(), O_CREAT | O_RDONLY | O_CLOEXEC, 0600) >= 0, path);
  std::exception_ptr thrown;
  std::thread([&] {
    try {
      must(::unshare(CLONE_NEWNET) == 0, "unshare");
      must(::mount("/proc/thread-self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr) == 0, path);
    } catch (...) {
      thrown = std::current_exception();
    }
  }).join();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace

Place::Place(unsigned devices) {
  must(::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "a network namespace");
  must(::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
  must(::mount("tmpfs", "/run", "tmpfs", 0, nullptr) == 0, "/run");
  // What it shows of netdevs is that of the namespace that it is mounted in.
  must(::mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0, "/sys");
  must(::mkdir("/run/netns", 0755) == 0, "/run/netns");
  make_pod();
  for (unsigned i = 0; i < devices; ++i) {
    sh("ip link add nic" + std::to_string(i) + " type veth peer name peer" + std::to_string(i));
    sh("ip link set peer" + std::to_string(i) + " up");
    take_up(i);
  }
}

void Place::take_up(size_t device) { sh("ip link set " + name(device) + " up"); }

}  // namespace railhead::bench
