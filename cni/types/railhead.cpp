#include "cni/types/railhead.hpp"

#include "cni/types/vf_keys.hpp"

namespace railhead::cni {

cnispec::Outcome<Asked> read_railhead(const Source& source) {
  auto asked =
      read_vf_keys(source, {.default_rdma = attach::RdmaUse::automatic, .knows_reset = true});
  if (asked) return std::move(*asked);
  return cnispec::refuse(cnispec::code::kInvalidConfig, asked.error());
}

cnispec::CniError railhead_refusal(const Error& error, const device::DeviceId&) {
  return cnispec::to_cni_error(error);
}

}  // namespace railhead::cni
