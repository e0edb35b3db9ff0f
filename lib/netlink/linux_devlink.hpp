#pragma once
#include <memory>

#include "host/devlink.hpp"
#include "netlink/socket.hpp"

namespace railhead::netlink {

// host::Devlink by generic netlink, of the namespace that the thread calling open() is in.
class LinuxDevlink final : public host::Devlink {
 public:
  static Result<std::unique_ptr<host::Devlink>> open();

  Result<std::optional<std::string>> eswitch_mode(std::string_view pci) override;

 private:
  explicit LinuxDevlink(Socket socket) : socket_(std::move(socket)) {}
  // The family's id; nothing when there is no devlink in this kernel.
  Result<std::optional<uint16_t>> family();

  Socket socket_;
  std::optional<uint16_t> family_;  // once known: the kernel keeps it until the next boot
};

}  // namespace railhead::netlink
