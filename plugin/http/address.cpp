#include "plugin/http/address.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/text.hpp"

namespace railhead::http {
namespace {

constexpr int kBacklog = 16;
constexpr std::string_view kUnix = "unix:";

// Any kind of socket address, with its length.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] int family() const { return storage.ss_family; }
};

template <class T>
SocketAddress socket_address(const T& of_family) {
  static_assert(sizeof(T) <= sizeof(sockaddr_storage));
  SocketAddress address;
  std::memcpy(&address.storage, &of_family, sizeof(T));
  address.length = sizeof(T);
  return address;
}

// Nothing when the host is not an address.
std::optional<SocketAddress> to_socket_address(const TcpAddress& address) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(address.port);
  if (inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1) return socket_address(v4);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port);
  if (inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr) == 1) return socket_address(v6);
  return std::nullopt;
}

std::optional<SocketAddress> to_socket_address(const UnixAddress& address) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (address.path.empty() || address.path.size() >= sizeof(un.sun_path)) return std::nullopt;
  address.path.copy(un.sun_path, address.path.size());
  return socket_address(un);
}

Failure refuse(std::string_view text) {
  return fail(ErrorCode::invalid_argument,
              "\"{}\": expected ADDRESS:PORT such as 127.0.0.1:9478 or [::1]:9478, or "
              "unix:/PATH of at most {} bytes",
              text, sizeof(sockaddr_un::sun_path) - 1);
}

// A socket file on which nobody listens can never be listened on again.
bool remove_dead_socket(const UnixAddress& address, const SocketAddress& where) {
  struct stat status {};
  if (::lstat(address.path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe || ::connect(probe.get(), where.get(), where.length) == 0) return false;
  return errno == ECONNREFUSED && ::unlink(address.path.c_str()) == 0;
}

Result<UniqueFd> listen_at(const SocketAddress& where) {
  UniqueFd fd(::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(errno, "make a socket");
  if (where.family() == AF_UNIX) {
    // bind(2) gives the file the socket's own mode: nobody can connect before a chmod.
    if (::fchmod(fd.get(), 0600) != 0) return fail_errno(errno, "chmod");
  } else {
    const int on = 1;  // connections of a former process in TIME_WAIT do not keep the port
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) {
      return fail_errno(errno, "SO_REUSEADDR");
    }
  }
  if (::bind(fd.get(), where.get(), where.length) != 0) return fail_errno(errno, "bind");
  if (::listen(fd.get(), kBacklog) != 0) return fail_errno(errno, "listen");
  return fd;
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  if (text.starts_with(kUnix)) {
    const UnixAddress address{std::string(text.substr(kUnix.size()))};
    if (!address.path.starts_with('/') || !to_socket_address(address)) return refuse(text);
    return address;
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse(text);
  const auto port = parse_int<uint16_t>(text.substr(colon + 1));
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  // Without brackets nobody could tell the port from the last part of an IPv6 address.
  if (!port || bracketed != (host.find(':') != std::string_view::npos)) return refuse(text);
  const TcpAddress address{std::string(host), *port};
  if (!to_socket_address(address)) return refuse(text);
  return address;
}

std::string to_string(const Address& address) {
  if (const auto* un = std::get_if<UnixAddress>(&address)) return std::string(kUnix) + un->path;
  const auto& tcp = std::get<TcpAddress>(address);
  const bool v6 = tcp.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", tcp.host, v6 ? "]" : "", tcp.port);
}

Result<UniqueFd> listen_on(const Address& address) {
  const auto where = std::visit([](const auto& one) { return to_socket_address(one); }, address);
  if (!where) return refuse(to_string(address));
  auto socket = listen_at(*where);
  if (!socket && socket.error().os_errno == EADDRINUSE) {
    const auto* un = std::get_if<UnixAddress>(&address);
    if (un && remove_dead_socket(*un, *where)) socket = listen_at(*where);
  }
  if (!socket) return pass(socket, to_string(address));
  return socket;
}

Result<Address> address_of(int socket) {
  SocketAddress where;
  if (::getsockname(socket, where.get(), &where.length) != 0) {
    return fail_errno(errno, "getsockname");
  }
  if (where.family() == AF_UNIX) {
    const auto& un = reinterpret_cast<const sockaddr_un&>(where.storage);
    return UnixAddress{un.sun_path};
  }
  char host[INET6_ADDRSTRLEN] = "";
  if (where.family() == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(where.storage);
    inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
    return TcpAddress{host, ntohs(v4.sin_port)};
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(where.storage);
  inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host));
  return TcpAddress{host, ntohs(v6.sin6_port)};
}

}  // namespace railhead::http
