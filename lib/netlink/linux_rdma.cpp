#include "netlink/linux_rdma.hpp"

#include <fcntl.h>

#include "host/netns.hpp"
#include "netlink/nldev.hpp"

namespace railhead::netlink {

namespace {

// Nothing when the kernel has no RDMA.
Result<std::optional<Socket>> open_socket() {
  auto opened = Socket::open(NETLINK_RDMA);
  if (opened) return std::optional<Socket>(std::move(*opened));
  if (is(opened, ErrorCode::unsupported)) return std::nullopt;
  return pass(opened);
}

}  // namespace

Result<std::unique_ptr<host::RdmaDevices>> LinuxRdma::open() {
  auto socket = open_socket();
  if (!socket) return pass(socket);
  UniqueFd netns(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!netns) return fail_errno(errno, "open /proc/thread-self/ns/net");
  return std::unique_ptr<host::RdmaDevices>(new LinuxRdma(std::move(*socket), std::move(netns)));
}

// A node's RDMA drivers may be loaded after this program has started.
Result<bool> LinuxRdma::has_rdma() {
  if (socket_) return true;
  auto opened = host::run_in_netns(netns_.get(), [this]() -> Result<void> {
    auto socket = open_socket();
    if (!socket) return pass(socket);
    socket_ = std::move(*socket);
    return {};
  });
  if (!opened) return pass(opened);
  return socket_.has_value();
}

Result<std::vector<host::RdmaLink>> LinuxRdma::list() {
  auto present = has_rdma();
  if (!present) return pass(present, "list RDMA devices");
  if (!*present) return std::vector<host::RdmaLink>{};
  auto devices = socket_->dump<host::RdmaLink>(get_rdma_devices(), decode_rdma_device);
  if (!devices) return pass(devices, "list RDMA devices");
  return devices;
}

Result<host::RdmaPort> LinuxRdma::port(uint32_t device_index, uint32_t number) {
  const auto who = [&] { return fmt::format("RDMA device {}, port {}", device_index, number); };
  auto present = has_rdma();
  if (!present) return pass(present, who());
  if (!*present) return fail_errno(ENODEV, "{}", who());
  Result<host::RdmaPort> port;
  auto done = socket_->exchange(get_rdma_port(device_index, number),
                                [&](const Message& message) -> Result<void> {
                                  port = decode_rdma_port(message);
                                  return port ? Result<void>() : pass(port);
                                });
  // EINVAL is the kernel's answer where there is none.
  if (is(done, ErrorCode::invalid_argument)) return fail_errno(ENODEV, "{}", who());
  if (!done) return pass(done, who());
  return port;
}

Result<std::optional<host::RdmaNetnsMode>> LinuxRdma::netns_mode() {
  auto present = has_rdma();
  if (!present) return pass(present, "RDMA namespace mode");
  if (!*present) return std::nullopt;
  std::optional<host::RdmaNetnsMode> mode;
  auto done = socket_->exchange(get_rdma_system(), [&](const Message& message) -> Result<void> {
    auto decoded = decode_rdma_system(message);
    if (!decoded) return pass(decoded);
    mode = *decoded;
    return {};
  });
  // Kernels before 5.2 know no such command.
  if (is(done, ErrorCode::invalid_argument) || is(done, ErrorCode::unsupported)) return mode;
  if (!done) return pass(done, "RDMA namespace mode");
  return mode;
}

Result<uint32_t> LinuxRdma::index_of(std::string_view name) {
  if (!socket_) return fail_errno(ENODEV, "{}: no RDMA in this kernel", name);
  auto devices = socket_->dump<host::RdmaLink>(get_rdma_devices(), decode_rdma_device);
  if (!devices) return pass(devices, name);
  for (const auto& device : *devices) {
    if (device.name == name) return device.index;
  }
  return fail_errno(ENODEV, "RDMA device {}", name);
}

Result<void> LinuxRdma::move(std::string_view name, int netns_fd) {
  auto index = index_of(name);
  if (!index) return pass(index);
  // The kernel takes the device from the namespace of the thread that asks, not of the socket it
  // asks through, and says ENODEV where they differ (rdma_dev_change_netns).
  auto moved = host::run_in_netns(
      netns_.get(), [&] { return socket_->exchange(move_rdma_device(*index, netns_fd)); });
  if (!moved) return pass(moved, fmt::format("move RDMA device {} to another namespace", name));
  return {};
}

Result<void> LinuxRdma::rename(std::string_view name, std::string_view new_name) {
  auto index = index_of(name);
  if (!index) return pass(index);
  auto renamed = socket_->exchange(rename_rdma_device(*index, new_name));
  if (!renamed) return pass(renamed, fmt::format("rename RDMA device {} to {}", name, new_name));
  return {};
}

}  // namespace railhead::netlink
