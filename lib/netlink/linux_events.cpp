#include "netlink/linux_events.hpp"

#include <algorithm>
#include <cerrno>

#include <linux/devlink.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <rdma/rdma_netlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "netlink/devlink.hpp"
#include "netlink/event_cause.hpp"
#include "netlink/link_events.hpp"
#include "netlink/socket.hpp"
#include "netlink/uevent.hpp"

namespace railhead::netlink {
namespace {

// Room for the events of some hundred VFs at once; what does not fit is told as lost.
constexpr int kReceiveBytes = 2 << 20;
constexpr size_t kDatagramBytes = 64 << 10;
constexpr uint32_t kKernelUevents = 1;  // lib/kobject_uevent.c; udevd has a group of its own
constexpr uint32_t kRdmaNotify = 4;     // RDMA_NL_GROUP_NOTIFY, in headers since Linux 6.12
constexpr int kMaxDatagrams = 20'000;   // per read(): a storm must not keep the caller for ever

using NoteMessage = std::function<void(const Message&, host::EventBatch&)>;

void take_uevent(Bytes datagram, host::EventBatch& batch) {
  if (auto uevent = decode_uevent(datagram)) note(*uevent, batch);
}

auto take_messages(NoteMessage note_message) {
  return [note_message = std::move(note_message)](Bytes datagram, host::EventBatch& batch) {
    auto messages = parse_messages(datagram);
    if (!messages) return note_unreadable("a message", batch);
    for (const auto& message : *messages) note_message(message, batch);
  };
}

}  // namespace

Result<std::unique_ptr<host::Events>> LinuxEvents::open() {
  std::unique_ptr<LinuxEvents> events(new LinuxEvents);
  events->buffer_.resize(kDatagramBytes);
  events->epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  if (!events->epoll_) return fail_errno(errno, "epoll_create1");
  if (auto added = events->add_uevents(); !added) return pass(added, "device events");
  if (auto added = events->add_links_and_routes(); !added) return pass(added, "link events");
  if (auto added = events->add_devlink(); !added) return pass(added, "devlink events");
  if (auto added = events->add_rdma(); !added) return pass(added, "RDMA events");
  return events;
}

Result<void> LinuxEvents::add_uevents() {
  return add(NETLINK_KOBJECT_UEVENT, {kKernelUevents}, take_uevent);
}

Result<void> LinuxEvents::add_links_and_routes() {
  const auto links = std::make_shared<LinkEvents>();
  auto added = add(NETLINK_ROUTE,
                   {RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR,
                    RTNLGRP_IPV6_IFADDR},
                   take_messages([links](const Message& message, host::EventBatch& batch) {
                     links->note(message, batch);
                   }));
  if (!added) return added;
  auto filter = link_event_filter();
  const sock_fprog program{static_cast<uint16_t>(filter.size()), filter.data()};
  // Without it more is read, and nothing else.
  setsockopt(sources_.back().fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
  return {};
}

Result<void> LinuxEvents::add_devlink() {
  auto socket = Socket::open(NETLINK_GENERIC);
  if (!socket) return pass(socket);
  std::optional<uint32_t> group;
  auto asked = socket->exchange(
      get_generic_family(DEVLINK_GENL_NAME), [&](const Message& message) -> Result<void> {
        auto found = decode_generic_group(message, DEVLINK_GENL_MCGRP_CONFIG_NAME);
        if (!found) return pass(found);
        group = *found;
        return {};
      });
  if (!asked && !is(asked, ErrorCode::not_found)) return asked;
  if (!group) return {};
  return add(NETLINK_GENERIC, {*group}, take_messages(note_devlink_message));
}

Result<void> LinuxEvents::add_rdma() {
  auto added = add(NETLINK_RDMA, {kRdmaNotify}, take_messages(note_rdma_message));
  if (is(added, ErrorCode::unsupported)) return {};
  has_rdma_ = added.has_value();
  return added;
}

Result<void> LinuxEvents::add(int protocol, std::initializer_list<uint32_t> groups,
                              std::function<void(Bytes, host::EventBatch&)> take) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd) return fail_errno(errno, "netlink socket {}", protocol);
  // Beyond net.core.rmem_max with CAP_NET_ADMIN; less is no failure, losses are told.
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes, sizeof(kReceiveBytes));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail_errno(errno, "bind a netlink socket {}", protocol);
  }
  for (const uint32_t group : groups) {
    if (setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0) {
      return fail_errno(errno, "join group {} of netlink {}", group, protocol);
    }
  }
  epoll_event readable{};
  readable.events = EPOLLIN;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &readable) != 0) {
    return fail_errno(errno, "epoll_ctl");
  }
  sources_.push_back({std::move(fd), std::move(take)});
  return {};
}

host::EventBatch LinuxEvents::read() {
  host::EventBatch batch;
  for (auto& source : sources_) drain(source, batch);
  const bool rdma_came = !has_rdma_ && std::ranges::any_of(batch.causes, [](const auto& cause) {
    return cause.starts_with("infiniband");
  });
  // What it says from now on is an addition to the uevents: to go without it is no failure.
  if (rdma_came) (void)add_rdma();
  batch.everything = batch.everything || batch.lost;
  return batch;
}

void LinuxEvents::drain(Source& source, host::EventBatch& batch) {
  for (int i = 0; i < kMaxDatagrams; ++i) {
    sockaddr_nl from{};
    iovec data{buffer_.data(), buffer_.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof(from);
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    const ssize_t size = recvmsg(source.fd.get(), &message, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == ENOBUFS) {  // the socket is usable again, what did not fit is gone
      batch.lost = true;
      continue;
    }
    if (size < 0) return;
    if (from.nl_pid != 0) continue;  // not the kernel
    if ((message.msg_flags & MSG_TRUNC) != 0) {
      batch.lost = true;
      continue;
    }
    source.take(Bytes(buffer_.data(), static_cast<size_t>(size)), batch);
  }
}

}  // namespace railhead::netlink
