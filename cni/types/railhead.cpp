#include "cni/types/railhead.hpp"

#include "cni/types/vf_keys.hpp"

namespace railhead::cni {

Result<Asked> read_railhead(const Source& source) {
  return read_vf_keys(source, {.default_rdma = attach::RdmaUse::automatic, .knows_reset = true});
}

Error railhead_refusal(Error error, const device::DeviceId&) { return error; }

}  // namespace railhead::cni
