#pragma once
// The keys of a VF, as sriov-cni named them.
#include <string>

#include <tl/expected.hpp>

#include "base/log.hpp"
#include "cni/types/type.hpp"

namespace railhead::cni {

// What differs between the types that read them.
struct VfKeys {
  attach::RdmaUse default_rdma;
  bool knows_reset = false;  // sriov-cni has no such key, and ignores it
};

// Errors are texts that name the key, the value and what was expected; where sriov-cni has one, it
// is that. The MAC is runtimeConfig's, else that of CNI_ARGS, else the configuration's; the device
// is `deviceID`, else runtimeConfig.deviceID, else `pciBusID`.
tl::expected<Asked, std::string> read_vf_keys(const Source& source, const VfKeys& of_type);

}  // namespace railhead::cni
