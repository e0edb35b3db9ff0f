#pragma once
// PORT: network namespaces (network_namespaces(7)).
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "host/links.hpp"
#include "host/rdma.hpp"

namespace railhead::host {

// The identity of a namespace: st_dev and st_ino of its nsfs file. A path may come to name
// another namespace; the identity may not (until the kernel uses the inode again).
struct NetnsId {
  uint64_t device = 0;
  uint64_t inode = 0;
  friend bool operator==(const NetnsId&, const NetnsId&) = default;
};

// An open namespace: it lives on while this does. Not for use by several threads at once.
class Netns {
 public:
  Netns(UniqueFd fd, NetnsId id, std::string path)
      : fd_(std::move(fd)), id_(id), path_(std::move(path)) {}

  // Runs `work` on a thread inside the namespace, where /proc/sys/net is that namespace's. No
  // thread of the caller's ever changes its namespace; this one is started at the first use and
  // ends with this object, because starting and ending one costs more than most of such work.
  [[nodiscard]] Result<void> run(const std::function<Result<void>()>& work) const;

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] NetnsId id() const { return id_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  UniqueFd fd_;
  NetnsId id_;
  std::string path_;
  mutable std::shared_ptr<class NetnsThread> inside_;  // shared only to be of an unknown type here
};

// Runs `work` inside the namespace of that open file: on this thread where it is in it, as entering
// even one's own needs CAP_SYS_ADMIN, else on a thread of its own.
[[nodiscard]] Result<void> run_in_netns(int netns_fd, const std::function<Result<void>()>& work);

class NetNamespaces {
 public:
  virtual ~NetNamespaces() = default;

  // not_found when the path is missing or is no network namespace any more (an ordinary file is
  // what remains of an unmounted one).
  [[nodiscard]] virtual Result<Netns> open(const std::string& path) = 0;
  // The namespace of that identity, where a process is in it (its first thread): one whose path is
  // gone lives on as long as that. Costs a look at each process. not_found when no process has it
  // that may be looked at; a bind mount or a descriptor may still keep it then.
  [[nodiscard]] virtual Result<Netns> find(NetnsId id) = 0;
  // The namespace this program was started in: the host's.
  [[nodiscard]] virtual Result<Netns> current() = 0;

  // Ports onto that namespace, usable from any thread's own namespace.
  [[nodiscard]] virtual Result<std::unique_ptr<Links>> links(const Netns& netns) = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<RdmaDevices>> rdma(const Netns& netns) = 0;

  // Runs `work` on a thread of its own inside the namespace; /proc/sys/net is that namespace's.
  [[nodiscard]] virtual Result<void> run(const Netns& netns,
                                         const std::function<Result<void>()>& work) = 0;
};

}  // namespace railhead::host
