#pragma once
// nv-ipam's pools (CIDRPool, IPPool; nv-ipam.nvidia.com/v1alpha1), as `kubectl get -o yaml` dumps
// them: what they become here, and whether they stand in the way.
#include <span>
#include <string>
#include <vector>

#include "ipam/address.hpp"
#include "plugin/ipam/check.hpp"

namespace railhead::ipam_tools {

struct NvPool {
  std::string kind;  // CIDRPool or IPPool
  std::string name;  // "namespace/name"
  host::IpPrefix network;
  Json json;  // the whole object
};

// Errors: decode, invalid_argument (a pool without a network).
[[nodiscard]] Result<std::vector<NvPool>> nv_pools(const std::string& file, std::string_view text);

// Pools of one kind, each of which is a rail, in their order, as JSON for people to take over:
// {"ipam": {"type": "rails", …}, "node": {"list": {…}}}. Nodes keep their blocks of CIDRPools.
// Those of an IPPool are kept where they can be blocks here (aligned, of 2^n addresses); else each
// node has one behind all that was given out. `held` is what leases of nv-ipam still hold: it is
// excluded. Errors: invalid_argument, with the pool and the node: it does not fit this formula, or
// a node has other indexes in other pools.
[[nodiscard]] Result<std::string> import_pools(std::span<const NvPool> pools,
                                               std::span<const ipam::Address> held);

// A sentence for each pool over addresses of these configurations: both would give them out.
[[nodiscard]] std::vector<std::string> pool_warnings(std::span<const NamedConf> confs,
                                                     std::span<const NvPool> pools);

}  // namespace railhead::ipam_tools
