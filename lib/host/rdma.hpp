#pragma once
// PORT: RDMA devices of ONE network namespace (RDMA netlink, rdma/rdma_netlink.h).
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/guid.hpp"

namespace railhead::host {

// shared: every namespace sees every device. exclusive: a device is seen in its own only.
enum class RdmaNetnsMode { shared, exclusive };
std::string_view to_string(RdmaNetnsMode mode);

struct RdmaPort {
  uint32_t number = 0;  // from 1
  uint8_t state = 0;    // enum ib_port_state: 1 DOWN, 2 INIT, 3 ARMED, 4 ACTIVE
  uint8_t physical_state = 0;
  std::optional<std::string> netdev;  // only when it is in the caller's namespace
  friend bool operator==(const RdmaPort&, const RdmaPort&) = default;
};

struct RdmaLink {
  uint32_t index = 0;  // stable over a namespace move on 6.12, but not promised
  std::string name;    // "mlx5_0"
  Guid node_guid;
  std::string protocol;  // "ib", "roce", "iw", "usnic"; "" on kernels that do not say
  uint32_t port_count = 0;
  friend bool operator==(const RdmaLink&, const RdmaLink&) = default;
};

class RdmaDevices {
 public:
  virtual ~RdmaDevices() = default;

  // One dump; an empty list when the kernel has no RDMA subsystem.
  [[nodiscard]] virtual Result<std::vector<RdmaLink>> list() = 0;
  // One port of a device of list(), 1 to port_count, as it is now: the driver is asked, which may
  // take as long as it likes. ENODEV when there is no such device or port here, EIO where the
  // device is in error state.
  [[nodiscard]] virtual Result<RdmaPort> port(uint32_t device_index, uint32_t number) = 0;
  // Nothing when the kernel has no RDMA subsystem, or is too old to say.
  [[nodiscard]] virtual Result<std::optional<RdmaNetnsMode>> netns_mode() = 0;
  // Moves a device into the namespace of `netns_fd`, in exclusive mode only: EOPNOTSUPP in shared
  // mode and where the driver cannot; ENODEV when no such device is visible here. Its character
  // devices are made anew by the move.
  [[nodiscard]] virtual Result<void> move(std::string_view name, int netns_fd) = 0;
  [[nodiscard]] virtual Result<void> rename(std::string_view name, std::string_view new_name) = 0;
};

}  // namespace railhead::host
