#include "cni/types/sriov.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cni/types/vf_keys.hpp"

namespace railhead::cni {
namespace {

constexpr std::string_view kLoading = "SRIOV-CNI failed to load netconf: LoadConf()";

}  // namespace

Result<Asked> read_sriov(const Source& source) {
  auto asked = read_vf_keys(source, {.default_rdma = attach::RdmaUse::off});
  if (!asked) return pass(asked, kLoading);
  return asked;
}

// sriov-cni looks for the device while it loads its configuration.
Error sriov_refusal(Error error, const device::DeviceId& device) {
  if (error.reason == attach::reason::kLocked) {
    const auto path = std::min(error.message.find('['), error.message.size());
    error.message =
        "time out while waiting to acquire exclusive lock on " + error.message.substr(path);
  } else if (error.reason == attach::reason::kHeld) {
    error.message =
        fmt::format("pci address {} is already allocated: {}", device.name, error.message);
  } else if (error.reason == attach::reason::kNotLocated) {
    error.message =
        fmt::format("{}: failed to get VF information: {}", kLoading, go_quoted(error.message));
  } else if (error.reason == attach::reason::kNoNetdev || error.reason == attach::reason::kNoRdma) {
    error = error.in(kLoading);
  }
  return error;
}

}  // namespace railhead::cni
