#pragma once
// Type `rdma`, in the place of rdma-cni, behind the plugin that attached the device: its RDMA
// devices follow into the pod.
#include "cni/types/type.hpp"

namespace railhead::cni {

// `rdmaQoS` and `args.cni.rdmaDeviceName` are accepted with a warning, as nothing here serves them.
Result<Asked> read_rdma_type(const Source& source);
Error rdma_refusal(Error error, const device::DeviceId& device);

}  // namespace railhead::cni
