#include "plugin/pool/list_size.hpp"

namespace railhead::pool {
namespace {

// Of protobuf's encoding: a field is a tag of one byte and a number, or a length and so many bytes.
size_t number_bytes(uint64_t value) {
  size_t bytes = 1;
  for (; value > 0x7f; value >>= 7) ++bytes;
  return bytes;
}
size_t field_bytes(size_t length) { return 1 + number_bytes(length) + length; }

// message Device { string ID; string health; TopologyInfo topology; } with one NUMANode {int64 ID},
// of which node 0 is not written.
size_t device_bytes(size_t id, const std::optional<int>& numa_node) {
  constexpr std::string_view kHealth = "Unhealthy";
  size_t bytes = field_bytes(id) + field_bytes(kHealth.size());
  if (numa_node) {
    const auto node = static_cast<uint64_t>(*numa_node);
    bytes += field_bytes(field_bytes(node == 0 ? 0 : 1 + number_bytes(node)));
  }
  return field_bytes(bytes);
}

}  // namespace

size_t list_bytes(const std::vector<Offer>& offers) {
  size_t bytes = 0;
  for (const auto& offer : offers) bytes += device_bytes(offer.id.size(), offer.numa_node);
  return bytes;
}

uint32_t most_shares_per_device(const Pool& pool) {
  auto one_share = pool;
  one_share.resource.sharing = config::Sharing{config::Sharing::Unit::device, 1};
  size_t bytes = 0;
  for (uint32_t share = 0; share < config::kMaxSharesPerDevice; ++share) {
    const size_t digits = std::to_string(share).size();
    for (const auto& offer : offers(one_share)) {  // "0000:3b:00.0::0"
      bytes += device_bytes(offer.id.size() - 1 + digits, offer.numa_node);
    }
    if (bytes > kMaxListBytes) return share;
  }
  return config::kMaxSharesPerDevice;
}

}  // namespace railhead::pool
