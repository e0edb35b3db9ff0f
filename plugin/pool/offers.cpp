#include <algorithm>

#include "plugin/pool/select.hpp"

namespace railhead::pool {
namespace {

using Unit = config::Sharing::Unit;

constexpr std::string_view kShareMark = "::";

}  // namespace

std::vector<Offer> offers(const Pool& pool) {
  std::vector<Offer> offers;
  const auto& sharing = pool.resource.sharing;
  if (sharing && sharing->unit == Unit::pool) {
    const bool any_healthy = pool.sickness.empty() &&
                             std::any_of(pool.members.begin(), pool.members.end(),
                                         [](const Member& one) { return one.sickness.empty(); });
    const uint32_t shares = pool.members.empty() ? 0 : sharing->shares;
    for (uint32_t i = 0; i < shares; ++i) {
      offers.push_back({std::to_string(i), any_healthy, std::nullopt, std::nullopt});
    }
    offers.insert(offers.end(), pool.leftovers.begin(), pool.leftovers.end());
    return offers;
  }
  offers.reserve(pool.members.size() * (sharing ? sharing->shares : 1));
  for (const auto& member : pool.members) {
    const Offer offer{member.id, pool.sickness.empty() && member.sickness.empty(), member.numa_node,
                      member.address};
    if (!sharing) offers.push_back(offer);
    for (uint32_t i = 0; sharing && i < sharing->shares; ++i) {
      offers.push_back(offer);
      offers.back().id = fmt::format("{}{}{}", member.id, kShareMark, i);
    }
  }
  offers.insert(offers.end(), pool.leftovers.begin(), pool.leftovers.end());
  return offers;
}

std::vector<const Member*> members_of(const Pool& pool, std::string_view offer_id) {
  const auto& sharing = pool.resource.sharing;
  std::vector<const Member*> members;
  if (sharing && sharing->unit == Unit::pool) {
    const auto share = parse_int<uint32_t>(offer_id);
    if (!share || *share >= sharing->shares) return {};
    for (const auto& member : pool.members) members.push_back(&member);
    return members;
  }
  if (sharing) {
    const auto mark = offer_id.rfind(kShareMark);
    if (mark == std::string_view::npos) return {};
    const auto share = parse_int<uint32_t>(offer_id.substr(mark + kShareMark.size()));
    if (!share || *share >= sharing->shares) return {};
    offer_id = offer_id.substr(0, mark);
  }
  const auto found = std::find_if(pool.members.begin(), pool.members.end(),
                                  [&](const Member& member) { return member.id == offer_id; });
  if (found != pool.members.end()) members.push_back(&*found);
  return members;
}

}  // namespace railhead::pool
