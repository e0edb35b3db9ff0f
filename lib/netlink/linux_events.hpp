#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/unique_fd.hpp"
#include "host/events.hpp"
#include "netlink/wire.hpp"

namespace railhead::netlink {

// host::Events by the kernel's multicast groups, of the namespace that the thread calling open()
// is in: uevents, rtnetlink links, routes and addresses, devlink's configuration, RDMA netlink's
// notifications (Linux 6.12 and later; before, uevents tell the same a little later).
class LinuxEvents final : public host::Events {
 public:
  // Without devlink or RDMA in the kernel there is nothing to hear from them. RDMA may come later:
  // the first uevent of an RDMA device says so.
  static Result<std::unique_ptr<host::Events>> open();

  int fd() const override { return epoll_.get(); }
  host::EventBatch read() override;

 private:
  // A socket that hears one or more groups, and what its datagrams mean.
  struct Source {
    UniqueFd fd;
    std::function<void(Bytes, host::EventBatch&)> take;
  };

  LinuxEvents() = default;
  Result<void> add_uevents();
  Result<void> add_links_and_routes();
  Result<void> add_devlink();
  Result<void> add_rdma();
  // `group`: 1 and on, as NETLINK_ADD_MEMBERSHIP counts them.
  Result<void> add(int protocol, std::initializer_list<uint32_t> groups,
                   std::function<void(Bytes, host::EventBatch&)> take);
  void drain(Source& source, host::EventBatch& batch);

  UniqueFd epoll_;
  std::vector<Source> sources_;
  bool has_rdma_ = false;
  std::vector<std::byte> buffer_;
};

}  // namespace railhead::netlink
