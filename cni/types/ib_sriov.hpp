#pragma once
// Type `ib-sriov`, in the place of ib-sriov-cni: its keys, and its words before ours.
#include "cni/types/type.hpp"

namespace railhead::cni {

// The RDMA device goes with the VF only where `rdmaIsolation` says so.
Result<Asked> read_ib_sriov(const Source& source);
Error ib_sriov_refusal(Error error, const device::DeviceId& device);

}  // namespace railhead::cni
