#pragma once
// Type `sriov`, in the place of sriov-cni: its keys, and its words before ours.
#include "cni/types/type.hpp"

namespace railhead::cni {

// The RDMA devices are left alone, as sriov-cni leaves them, unless the configuration asks:
// rdma-cni, behind it in the chain, fails where they have been moved already.
Result<Asked> read_sriov(const Source& source);
Error sriov_refusal(Error error, const device::DeviceId& device);

}  // namespace railhead::cni
