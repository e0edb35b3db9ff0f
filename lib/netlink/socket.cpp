#include "netlink/socket.hpp"

#include <cerrno>
#include <cstdlib>

#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace railhead::netlink {
namespace {

// The lock of all network configuration (RTNL) can be held for many seconds on a host that makes
// VFs or tears namespaces down.
constexpr timeval kReceiveTimeout{60, 0};

Failure kernel_error(const Acknowledgement& answer) {
  auto text = errno_text(answer.os_errno);
  if (!answer.text.empty()) text += ", " + answer.text;
  return Failure(Error{code_of_errno(answer.os_errno), answer.os_errno, std::move(text)});
}

}  // namespace

void Socket::Free::operator()(nl_sock* socket) const { nl_socket_free(socket); }

Result<Socket> Socket::open(int protocol) {
  Handle handle(nl_socket_alloc());
  if (!handle) return fail_errno(ENOMEM, "netlink socket");
  errno = 0;
  // libnl has errno values of its own, fewer than the kernel's: errno is what counts.
  if (nl_connect(handle.get(), protocol) < 0) {
    return fail_errno(errno ? errno : EIO, "netlink socket {}", protocol);
  }
  // The kernel fills datagrams of a dump up to the size it was once offered, at most 32 KiB.
  nl_socket_set_msg_buf_size(handle.get(), 32768);
  nl_socket_enable_msg_peek(handle.get());

  const int fd = nl_socket_get_fd(handle.get());
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kReceiveTimeout, sizeof(kReceiveTimeout)) != 0) {
    return fail_errno(errno, "netlink socket: set the receive timeout");
  }
  // Only make errors say more and let dumps be filtered in the kernel: all are since Linux 4.20.
  const int on = 1;
  for (int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK}) {
    setsockopt(fd, SOL_NETLINK, option, &on, sizeof(on));
  }
  return Socket(std::move(handle));
}

Result<std::vector<std::byte>> Socket::receive() {
  sockaddr_nl from{};
  unsigned char* buffer = nullptr;
  errno = 0;
  const int size = nl_recv(handle_.get(), &from, &buffer, nullptr);
  const int os_errno = errno;
  const std::unique_ptr<unsigned char, decltype(&free)> owner(buffer, &free);
  if (size == -NLE_AGAIN || size == 0) return fail_errno(ETIMEDOUT, "the kernel gave no answer");
  if (size < 0) return fail_errno(os_errno ? os_errno : EIO, "receive the kernel's answer");
  auto bytes = std::as_bytes(std::span(buffer, static_cast<size_t>(size)));
  if (from.nl_pid != 0) bytes = {};  // not from the kernel: another program's datagram
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

int Socket::fd() const { return nl_socket_get_fd(handle_.get()); }

Result<bool> Socket::run(Request request, const Each& each) {
  request.set_sequence(++sequence_);
  auto bytes = request.bytes();
  errno = 0;
  if (nl_sendto(handle_.get(), const_cast<std::byte*>(bytes.data()), bytes.size()) < 0) {
    return fail_errno(errno ? errno : EIO, "send to the kernel");
  }
  bool whole = true;
  Result<void> refused;  // what `each` said; the rest of the answer is still read
  for (;;) {
    auto datagram = receive();
    if (!datagram) return pass(datagram);
    auto messages = parse_messages(*datagram);
    if (!messages) return pass(messages);
    for (const auto& message : *messages) {
      if (message.sequence != sequence_) continue;  // of an exchange that was given up
      if (message.flags & NLM_F_DUMP_INTR) whole = false;
      if (message.type == NLMSG_ERROR || message.type == NLMSG_DONE) {
        auto answer = parse_acknowledgement(message);
        if (!answer) return pass(answer);
        if (answer->os_errno != 0) return kernel_error(*answer);
        if (!refused) return pass(refused);
        return whole;
      }
      if (message.type >= NLMSG_MIN_TYPE && each && refused) refused = each(message);
    }
  }
}

Result<void> Socket::exchange(Request request, const Each& each) {
  auto done = run(std::move(request), each);
  if (!done) return pass(done);
  return {};
}

}  // namespace railhead::netlink
