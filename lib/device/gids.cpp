#include "device/gids.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace railhead::device {
namespace {

constexpr std::string_view kUnused = "0000:0000:0000:0000:0000:0000:0000:0000";

}  // namespace

Result<std::vector<Gid>> read_gids(const host::Directory& function, std::string_view rdma_device,
                                   uint32_t port) {
  const auto folder = function.sub(fmt::format("infiniband/{}/ports/{}", rdma_device, port));
  if (!folder) return pass(folder);
  const auto indexes = folder->list("gids");
  if (!indexes) return pass(indexes);
  std::vector<Gid> gids;
  for (const auto& index : *indexes) {
    const auto number = parse_int<uint32_t>(index);
    // An index of the table that is not in use reads as zeros, or EINVAL.
    auto gid = folder->read("gids/" + index);
    if (!number || !gid || *gid == kUnused) continue;
    auto netdev = folder->read("gid_attrs/ndevs/" + index);
    gids.push_back({*number, std::move(*gid), folder->read("gid_attrs/types/" + index).value_or(""),
                    netdev ? std::optional(std::move(*netdev)) : std::nullopt});
  }
  std::sort(gids.begin(), gids.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  return gids;
}

}  // namespace railhead::device
