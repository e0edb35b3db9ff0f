#include "plugin/grant/compare.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/text.hpp"

namespace railhead::grant {

bool is_own_node(std::string_view host_path) {
  constexpr std::array<std::string_view, 8> kNumbered = {
      "/dev/infiniband/uverbs", "/dev/infiniband/umad",
      "/dev/infiniband/issm",   "/dev/vfio/",
      "/dev/vfio/noiommu-",     "/dev/uio",
      "/dev/vhost-vdpa-",       "/dev/vfio/devices/vfio"};
  return std::ranges::any_of(kNumbered, [&](std::string_view start) {
    return host_path.starts_with(start) &&
           parse_int<uint32_t>(host_path.substr(start.size())).has_value();
  });
}

std::vector<std::string> stale_nodes(const std::vector<std::string>& given,
                                     const std::vector<std::string>& now) {
  std::vector<std::string> stale;
  for (const auto& path : given) {
    if (is_own_node(path) && std::ranges::find(now, path) == now.end()) stale.push_back(path);
  }
  std::ranges::sort(stale);
  stale.erase(std::unique(stale.begin(), stale.end()), stale.end());
  return stale;
}

}  // namespace railhead::grant
