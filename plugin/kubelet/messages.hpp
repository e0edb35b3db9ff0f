#pragma once
// A pool's values as the messages of the device plugin API.
#include <vector>

#include "plugin/kubelet/pool_service.hpp"
#include "proto/deviceplugin.pb.h"

namespace railhead::kubelet {

inline constexpr const char* kApiVersion = "v1beta1";

v1beta1::ListAndWatchResponse message_of(const std::vector<Device>& devices);
v1beta1::ContainerAllocateResponse message_of(const ContainerAllocation& allocation);
v1beta1::DevicePluginOptions options_of(const PoolService& pool);
PreferenceRequest request_of(const v1beta1::ContainerPreferredAllocationRequest& message);

}  // namespace railhead::kubelet
