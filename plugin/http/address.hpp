#pragma once
// Where the agent listens for HTTP.
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace railhead::http {

struct TcpAddress {
  std::string host;  // an IPv4 or IPv6 address, never a name
  uint16_t port = 0;
  friend bool operator==(const TcpAddress&, const TcpAddress&) = default;
};
struct UnixAddress {
  std::string path;  // absolute
  friend bool operator==(const UnixAddress&, const UnixAddress&) = default;
};
using Address = std::variant<TcpAddress, UnixAddress>;

// "127.0.0.1:9478", "[::1]:9478" or "unix:/run/railhead/http.sock".
[[nodiscard]] Result<Address> parse_address(std::string_view text);
[[nodiscard]] std::string to_string(const Address& address);

// A listening socket that does not block. A unix socket's file has mode 0600; one that a killed
// process left is replaced. Errors: EADDRINUSE (somebody listens there), EADDRNOTAVAIL, EACCES, …
[[nodiscard]] Result<UniqueFd> listen_on(const Address& address);

// The address that a listening socket really has: the port in place of 0.
[[nodiscard]] Result<Address> address_of(int socket);

}  // namespace railhead::http
