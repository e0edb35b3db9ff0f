#pragma once
#include <memory>

#include "base/unique_fd.hpp"
#include "host/rdma.hpp"
#include "netlink/socket.hpp"

namespace railhead::netlink {

// host::RdmaDevices by RDMA netlink, of the namespace that the thread calling open() is in.
class LinuxRdma final : public host::RdmaDevices {
 public:
  // A kernel without RDMA is no error: nothing is listed then.
  static Result<std::unique_ptr<host::RdmaDevices>> open();

  Result<std::vector<host::RdmaLink>> list() override;
  Result<host::RdmaPort> port(uint32_t device_index, uint32_t number) override;
  Result<std::optional<host::RdmaNetnsMode>> netns_mode() override;
  Result<void> move(std::string_view name, int netns_fd) override;
  Result<void> rename(std::string_view name, std::string_view new_name) override;

 private:
  LinuxRdma(std::optional<Socket> socket, UniqueFd netns)
      : socket_(std::move(socket)), netns_(std::move(netns)) {}
  Result<bool> has_rdma();
  Result<uint32_t> index_of(std::string_view name);

  std::optional<Socket> socket_;  // absent: no RDMA in this kernel yet
  UniqueFd netns_;                // the namespace the socket is in
};

}  // namespace railhead::netlink
