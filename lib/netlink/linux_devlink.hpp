#pragma once
#include <functional>
#include <memory>

#include "host/devlink.hpp"
#include "netlink/socket.hpp"

namespace railhead::netlink {

// host::Devlink by generic netlink, of the namespace that the thread asking first is in: the socket
// is opened then, since most programs that hold a Host never ask.
class LinuxDevlink final : public host::Devlink {
 public:
  static Result<std::unique_ptr<host::Devlink>> open();

  Result<std::optional<std::string>> firmware_app(std::string_view pci) override;

 private:
  LinuxDevlink() = default;
  // The family's id; nothing when there is no devlink in this kernel.
  Result<std::optional<uint16_t>> family();

  using Answer = std::optional<std::string>;
  // Nothing when the kernel has no devlink for this function, or its driver no answer.
  Result<Answer> ask(Request (*question)(uint16_t family, std::string_view pci),
                     std::string_view pci, const std::function<Result<Answer>(const Message&)>&);

  std::optional<Socket> socket_;
  std::optional<uint16_t> family_;  // once known: the kernel keeps it until the next boot
};

}  // namespace railhead::netlink
