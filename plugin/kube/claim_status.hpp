#pragma once
// What a pod's interfaces are to its ResourceClaims: status.devices[].networkData (KEP-4817,
// resource.k8s.io/v1).
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/kube/objects.hpp"

namespace railhead::kube {

// A pod's interface on a device.
struct AttachedDevice {
  std::string device;                  // "0000:3b:00.2"
  std::string ifname;                  // in the pod
  std::string mac;                     // "": it has none
  std::vector<std::string> addresses;  // "10.1.2.3/24"
};

// The text of an apply of the claim's status with what stands behind those of its devices that
// `attached` has, by the names that drivers publish (`known`). Nothing where it has none of them,
// or `claim` is no ResourceClaim's text.
[[nodiscard]] std::optional<std::string> claim_status(std::string_view claim,
                                                      const std::vector<ClaimedDevice>& known,
                                                      const std::vector<AttachedDevice>& attached);

}  // namespace railhead::kube
