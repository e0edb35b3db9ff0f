#include "netlink/linux_devlink.hpp"

#include "netlink/devlink.hpp"

namespace railhead::netlink {

Result<std::unique_ptr<host::Devlink>> LinuxDevlink::open() {
  return std::unique_ptr<host::Devlink>(new LinuxDevlink());
}

Result<std::optional<uint16_t>> LinuxDevlink::family() {
  if (family_) return family_;
  if (!socket_) {
    auto socket = Socket::open(NETLINK_GENERIC);
    if (!socket) return pass(socket);
    socket_.emplace(std::move(*socket));
  }
  auto done =
      socket_->exchange(get_generic_family("devlink"), [&](const Message& message) -> Result<void> {
        auto id = decode_generic_family(message);
        if (!id) return pass(id);
        family_ = *id;
        return {};
      });
  if (!done && !is(done, ErrorCode::not_found)) return pass(done, "devlink");
  return family_;
}

Result<std::optional<std::string>> LinuxDevlink::eswitch_mode(std::string_view pci) {
  auto id = family();
  if (!id) return pass(id);
  if (!*id) return std::nullopt;
  std::optional<std::string> mode;
  auto done = socket_->exchange(get_eswitch(**id, pci), [&](const Message& m) -> Result<void> {
    auto decoded = decode_eswitch_mode(m);
    if (!decoded) return pass(decoded);
    mode = std::move(*decoded);
    return {};
  });
  // No devlink for this device, or a driver without an eswitch.
  if (is(done, ErrorCode::not_found) || is(done, ErrorCode::unsupported)) return std::nullopt;
  if (!done) return pass(done, fmt::format("eswitch mode of {}", pci));
  return mode;
}

}  // namespace railhead::netlink
