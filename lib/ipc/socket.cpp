#include "ipc/socket.hpp"

#include <cerrno>

#include <sys/socket.h>
#include <unistd.h>

namespace railhead::ipc {

std::string socket_in(const std::string& run) { return run + "/agent.sock"; }

Result<sockaddr_un> to_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::invalid_argument, "socket \"{}\": expected a path of 1 to {} bytes",
                path, sizeof(address.sun_path) - 1);
  }
  path.copy(address.sun_path, path.size());
  return address;
}

bool is_trusted(uid_t peer, uid_t own) { return peer == 0 || peer == own; }

Result<void> check_peer(int socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return fail_errno(errno, "SO_PEERCRED");
  }
  const auto own = ::geteuid();
  if (is_trusted(peer.uid, own)) return {};
  return fail(ErrorCode::permission, "the peer is process {} of user {}: expected user 0{}",
              peer.pid, peer.uid, own == 0 ? "" : fmt::format(" or {}", own));
}

}  // namespace railhead::ipc
