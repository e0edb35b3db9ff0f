#include "plugin/grant/modes.hpp"

#include <algorithm>
#include <array>

#include <sys/stat.h>

namespace railhead::grant {
namespace {

constexpr std::string_view kDev = "/dev";

// devtmpfs makes a node 0600 unless its driver says otherwise, as these do: ib_uverbs, rdma_ucm,
// vfio. The last is udev's own rule, on every node with systemd.
constexpr std::array<std::string_view, 4> kForAll = {
    "/dev/infiniband/uverbs", "/dev/infiniband/rdma_cm", "/dev/vfio/vfio", "/dev/net/tun"};

}  // namespace

uint32_t node_mode(const std::string& dev, std::string_view host_path) {
  if (host_path.starts_with(kDev)) {
    struct stat status {};
    const auto path = dev + std::string(host_path.substr(kDev.size()));
    if (::stat(path.c_str(), &status) == 0) return status.st_mode & 0777U;
  }
  const bool for_all = std::ranges::any_of(
      kForAll, [&](std::string_view start) { return host_path.starts_with(start); });
  return for_all ? 0666 : 0600;
}

}  // namespace railhead::grant
