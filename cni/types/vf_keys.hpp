#pragma once
// The keys of a VF, as sriov-cni named them.
#include "cni/types/type.hpp"

namespace railhead::cni {

// What differs between the types that read them.
struct VfKeys {
  attach::RdmaUse default_rdma;
  bool knows_reset = false;  // sriov-cni has no such key, and ignores it
};

// Errors (invalid_argument) name the key, the value and what was expected, in sriov-cni's text
// where it has one. The MAC is runtimeConfig's, else that of CNI_ARGS, else the configuration's;
// the device is `deviceID`, else runtimeConfig.deviceID, else `pciBusID`.
Result<Asked> read_vf_keys(const Source& source, const VfKeys& of_type);

}  // namespace railhead::cni
