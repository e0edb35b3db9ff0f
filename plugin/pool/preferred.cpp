#include "plugin/pool/preferred.hpp"

#include <algorithm>
#include <map>

namespace railhead::pool {
namespace {

// The wish's ids as members of the pool, without doubles, in PCI order.
Result<std::map<PciAddress, std::string>> members_of(const Pool& pool,
                                                     const std::vector<std::string>& ids) {
  std::map<PciAddress, std::string> known;
  for (const auto& id : ids) {
    const auto address = PciAddress::parse(id);
    const auto is_it = [&](const Member& member) { return member.address == address; };
    if (std::none_of(pool.members.begin(), pool.members.end(), is_it)) {
      return fail(ErrorCode::not_found, "device {} is not one of the {} devices of {}", id,
                  pool.members.size(), pool.resource.full_name());
    }
    known.emplace(*address, id);
  }
  return known;
}

}  // namespace

Result<Choice> prefer(const Pool& pool, const device::Inventory& /*inventory*/, const Wish& wish,
                      const std::vector<PciAddress>& /*gpus_of_pod*/,
                      const std::vector<PciAddress>& /*free_gpus*/) {
  const auto available = members_of(pool, wish.available);
  if (!available) return pass(available);
  const auto included = members_of(pool, wish.must_include);
  if (!included) return pass(included);
  for (const auto& [address, id] : *included) {
    if (!available->contains(address)) {
      return fail(ErrorCode::invalid_argument, "device {} must be included and is not available",
                  id);
    }
  }
  if (wish.size > available->size() || wish.size < included->size()) {
    return fail(ErrorCode::invalid_argument,
                "{} devices are asked for, {} of them given; {} are available", wish.size,
                included->size(), available->size());
  }
  auto chosen = *included;
  for (const auto& [address, id] : *available) {
    if (chosen.size() == wish.size) break;
    chosen.emplace(address, id);
  }
  Choice choice{{}, "PCI order"};
  for (const auto& [address, id] : chosen) choice.ids.push_back(id);
  return choice;
}

}  // namespace railhead::pool
