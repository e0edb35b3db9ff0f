#pragma once
// Type `host-device`, in the place of the reference plugin of that name: a whole netdev of the
// host's, by whatever the configuration calls it.
#include "cni/types/type.hpp"

namespace railhead::cni {

// `device`, `hwaddr`, `kernelpath`, `pciBusID`, in this order; runtimeConfig.deviceID and deviceID
// go before `pciBusID`.
Result<Asked> read_host_device(const Source& source);
Error host_device_refusal(Error error, const device::DeviceId& device);

}  // namespace railhead::cni
