#pragma once
// PORT: what makes a PCI function anew: its driver taken off and put on again, its own reset
// (/sys/bus/pci).
#include <chrono>
#include <string_view>

#include "base/error.hpp"
#include "base/pci_address.hpp"

namespace railhead::host {

// Each returns when the kernel has done it, or after `limit`, whatever the kernel does: a driver
// that waits for a dead device sleeps where no signal reaches it. What hangs is left behind, with
// nothing that is ours open: no lock, no pipe.
// Errors: timeout (it is not over, and may come to its end later), busy (one that was left behind
// is still at work on this function), not_found (no such function or driver; ENODEV: the function
// is not the driver's, or the driver does not want it), else the kernel's errno.
class Functions {
 public:
  virtual ~Functions() = default;

  // Its netdev and RDMA devices go with it, in whatever namespace they are.
  [[nodiscard]] virtual Result<void> unbind(const PciAddress& function, std::string_view driver,
                                            std::chrono::milliseconds limit) = 0;
  // They come anew, in the host's namespace, under names that the kernel gives: maybe later than
  // this returns.
  [[nodiscard]] virtual Result<void> bind(const PciAddress& function, std::string_view driver,
                                          std::chrono::milliseconds limit) = 0;
  // The first of its `reset_method`s that works. The kernel takes the function for unused: a
  // driver's own state is not touched, and not made to fit. ENOTTY: it has none.
  [[nodiscard]] virtual Result<void> reset(const PciAddress& function,
                                           std::chrono::milliseconds limit) = 0;
};

}  // namespace railhead::host
