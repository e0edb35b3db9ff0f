#pragma once
#include <map>
#include <string>
#include <vector>

#include "plugin/grant/grant.hpp"

namespace railhead::grant {

// A device that is given out, with its RDMA devices and the numbers of their ports.
struct GivenHcas {
  std::string id;                                      // Wanted::id
  std::map<std::string, std::vector<uint32_t>> ports;  // by RDMA device
};

// For exactly these devices, in this order: NCCL_IB_HCA, UCX_NET_DEVICES, NVSHMEM_HCA_LIST, and,
// where the node has GPUs, RAILHEAD_GPU_NIC_PAIRS: "<GPU>=<NIC>,…" by PCI address, for every GPU of
// the node the nearest of these devices. Allocate is not told which GPUs the container has; it
// ignores the others.
[[nodiscard]] std::map<std::string, std::string> nccl_variables(
    const Nccl& nccl, const ResourceName& resource, const std::vector<GivenHcas>& given);

}  // namespace railhead::grant
