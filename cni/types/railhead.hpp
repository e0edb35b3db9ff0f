#pragma once
// Type `railhead`: sriov-cni's keys, with the RDMA devices, and its own words.
#include "cni/types/type.hpp"

namespace railhead::cni {

cnispec::Outcome<Asked> read_railhead(const Source& source);
cnispec::CniError railhead_refusal(const Error& error, const device::DeviceId& device);

}  // namespace railhead::cni
