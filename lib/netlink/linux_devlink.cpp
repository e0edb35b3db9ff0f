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

Result<LinuxDevlink::Answer> LinuxDevlink::ask(
    Request (*question)(uint16_t family, std::string_view pci), std::string_view pci,
    const std::function<Result<Answer>(const Message&)>& decode) {
  auto id = family();
  if (!id) return pass(id);
  if (!*id) return std::nullopt;
  Answer answer;
  auto done = socket_->exchange(question(**id, pci), [&](const Message& message) -> Result<void> {
    auto decoded = decode(message);
    if (!decoded) return pass(decoded);
    answer = std::move(*decoded);
    return {};
  });
  if (is(done, ErrorCode::not_found) || is(done, ErrorCode::unsupported)) return std::nullopt;
  if (!done) return pass(done);
  return answer;
}

Result<std::optional<std::string>> LinuxDevlink::firmware_app(std::string_view pci) {
  auto name = ask(get_info, pci, [](const Message& message) {
    return decode_running_version(message, "fw.app.name");
  });
  if (!name) return pass(name, fmt::format("devlink info of {}", pci));
  return name;
}

}  // namespace railhead::netlink
