#include "plugin/pool/list_size.hpp"

#include <algorithm>
#include <set>

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

// How many of them a message has room for, whichever they are.
size_t room_for(const std::vector<Offer>& offers) {
  if (list_bytes(offers) <= kMaxListBytes) return offers.size();
  size_t largest = 0;
  for (const auto& offer : offers) {
    largest = std::max(largest, device_bytes(offer.id.size(), offer.numa_node));
  }
  return kMaxListBytes / largest;
}

std::set<std::string_view> ids_held_of(const std::string& resource,
                                       const ledger::Holdings& holdings) {
  std::set<std::string_view> ids;
  for (const auto& holding : holdings.all()) {
    if (holding.resource == resource) ids.insert(holding.id);
  }
  return ids;
}

}  // namespace

size_t list_bytes(const std::vector<Offer>& offers) {
  size_t bytes = 0;
  for (const auto& offer : offers) bytes += device_bytes(offer.id.size(), offer.numa_node);
  return bytes;
}

std::vector<Offer> offers_told(const Pool& pool, const ledger::Holdings& holdings) {
  auto all = offers(pool);
  const size_t room = room_for(all);
  if (room == all.size()) return all;
  const auto held = ids_held_of(pool.resource.full_name(), holdings);
  // The members' shares stand device by device; what follows them is held.
  const size_t shares = pool.resource.sharing ? pool.resource.sharing->shares : 1;
  const size_t of_members = all.size() - pool.leftovers.size();
  using Rank = std::pair<size_t, size_t>;  // and the offer's place
  std::vector<Rank> ranks;
  for (size_t i = 0; i < all.size(); ++i) {
    const bool is_held = i >= of_members || held.contains(all[i].id);
    ranks.emplace_back(is_held ? 0 : 1 + i % shares, i);
  }
  std::ranges::nth_element(ranks, ranks.begin() + static_cast<std::ptrdiff_t>(room));
  ranks.resize(room);
  std::ranges::sort(ranks, {}, &Rank::second);
  std::vector<Offer> told;
  for (const auto& rank : ranks) told.push_back(std::move(all[rank.second]));
  return told;
}

size_t count_untold(const Pool& pool) {
  const auto all = offers(pool);
  return all.size() - room_for(all);
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
