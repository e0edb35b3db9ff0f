#pragma once
// Type `railhead`: sriov-cni's keys, with the RDMA devices, and its own words.
#include "cni/types/type.hpp"

namespace railhead::cni {

Result<Asked> read_railhead(const Source& source);
Error railhead_refusal(Error error, const device::DeviceId& device);

}  // namespace railhead::cni
