#pragma once
// The keys of a VF, as sriov-cni named them.
#include <span>

#include "base/go_json.hpp"
#include "base/guid.hpp"
#include "cni/types/type.hpp"

namespace railhead::cni {

// What differs between the types that read them.
struct VfKeys {
  attach::RdmaUse default_rdma;
  bool knows_reset = false;  // sriov-cni has no such key, and ignores it
  bool knows_guid = false;   // nor this
  bool takes_sub_function = false;
  std::span<const std::string_view> more_keys = {};  // that the type reads itself
};

// Errors (invalid_argument) name the key, the value and what was expected, in sriov-cni's text
// where it has one. The MAC is runtimeConfig's, else that of CNI_ARGS, else the configuration's;
// the device is `deviceID`, else runtimeConfig.deviceID, else `pciBusID`.
Result<Asked> read_vf_keys(const Source& source, const VfKeys& of_type);

// `guidPool`, a range of GUIDs of this node; absent: none.
Result<std::optional<GuidRange>> read_guid_pool(go_json::Object& config);
// `link_state`; absent: not asked for.
Result<std::optional<host::VfLinkState>> read_link_state(go_json::Object& config);
// Of an InfiniBand VF, its node's and its port's: runtimeConfig.infinibandGUID, else args.cni.guid.
Result<std::optional<Guid>> read_guid(go_json::Object& config, go_json::Object* runtime);
// What neither the caller has asked for, nor runtimes and other programs put there.
std::vector<std::string> unknown_vf_keys(go_json::Object& config);

}  // namespace railhead::cni
