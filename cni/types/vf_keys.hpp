#pragma once
// The keys of a VF, as sriov-cni named them.
#include <string>

#include <tl/expected.hpp>

#include "base/log.hpp"
#include "cni/types/type.hpp"

namespace railhead::cni {

// Errors are texts that name the key, the value and what was expected; where sriov-cni has one, it
// is that. The MAC is runtimeConfig's, else that of CNI_ARGS, else the configuration's; the device
// is `deviceID`, else runtimeConfig.deviceID, else `pciBusID`.
tl::expected<Asked, std::string> read_vf_keys(const Source& source, attach::RdmaUse default_rdma);

}  // namespace railhead::cni
