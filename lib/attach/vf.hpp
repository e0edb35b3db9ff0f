#pragma once
// One VF as sysfs and rtnetlink show it, looked up by its PCI address without a scan of the node.
#include <optional>
#include <string>
#include <vector>

#include "attach/record.hpp"
#include "host/host.hpp"

namespace railhead::attach {

struct VfPlace {
  PciAddress pf;
  uint32_t index = 0;                // N of the PF's virtfnN
  std::string driver;                // "" when none is bound
  std::vector<std::string> netdevs;  // in the host's namespace; empty while it is in a pod's
};

// not_found: no such PCI function. invalid_argument: it is not a VF.
[[nodiscard]] Result<VfPlace> locate_vf(const host::Host& host, const PciAddress& address);

// The PF's netdev: the one of its uplink port where switchdev representors stand beside it.
[[nodiscard]] Result<host::Link> pf_link(host::Host& host, const PciAddress& pf);

// RDMA devices of the function with their character devices, in whatever namespace they are.
[[nodiscard]] Result<RdmaState> rdma_state(const host::Host& host, const PciAddress& address);
// The names of the RDMA devices that are in the host's namespace.
[[nodiscard]] std::vector<std::string> rdma_in_host(const host::Host& host,
                                                    const PciAddress& address);

// The sysctls that a namespace move resets, as they stand for a netdev of the host; those the
// kernel does not have are left out.
[[nodiscard]] std::map<std::string, std::string> read_sysctls(const host::Host& host,
                                                              const std::string& netdev);
[[nodiscard]] Result<void> write_sysctl(const host::Host& host, const std::string& key,
                                        const std::string& netdev, const std::string& value);

// "uverbs4" and so on, sorted, for comparison and messages.
[[nodiscard]] std::string node_list(const std::vector<device::CharDevice>& devices);

}  // namespace railhead::attach
