#pragma once
// The device-info of a pod's network-status: what its device-info file says (grant/devinfo.hpp).
#include <string>

#include "ipc/pod_news.hpp"

namespace railhead::app {

// The pod's network-status with `device-info` of the entries of its devices as the files in
// `folder` have them: type, RDMA device, PF, representor, vDPA. An entry without such a file, or
// that the agent's container does not see, stays as it is.
[[nodiscard]] std::string with_device_info(const ipc::PodNews& pod, const std::string& folder);

}  // namespace railhead::app
