#include "plugin/pool/rails.hpp"

#include <algorithm>
#include <set>

#include "device/rails.hpp"
#include "plugin/pool/ask.hpp"

namespace railhead::pool {
namespace {

PciAddress port_of(const Member& member) { return member.pf.value_or(member.address); }

}  // namespace

bool may_have_allocated_rails(const config::Resource& resource,
                              const std::set<Membership>& allocated) {
  return !leaves_records(resource) || std::ranges::any_of(allocated, [&](const auto& membership) {
    return membership.first == resource.full_name();
  });
}

std::vector<PciAddress> order_rails(const std::vector<Member>& members,
                                    const device::Inventory& inventory,
                                    std::vector<PciAddress> known, bool is_allocated) {
  std::set<PciAddress> unnumbered;
  for (const auto& member : members) unnumbered.insert(port_of(member));
  const auto is_known = [&](const PciAddress& port) {
    return std::ranges::find(known, port) != known.end();
  };
  if (std::ranges::all_of(unnumbered, is_known)) return known;
  if (is_allocated) {
    std::erase_if(unnumbered, is_known);
  } else {
    known.clear();
  }
  std::vector<const device::PciFunction*> ports;
  std::vector<const device::PciFunction*> gpus;
  for (const auto& function : inventory.functions()) {
    if (unnumbered.contains(function.address)) ports.push_back(&function);
    if (function.is_gpu) gpus.push_back(&function);
  }
  for (const auto place : device::rail_order(ports, gpus)) known.push_back(ports[place]->address);
  return known;
}

std::vector<Pool> split_into_rails(Pool pool, const std::vector<PciAddress>& rails) {
  std::vector<Pool> pools(rails.size(), pool);
  for (size_t i = 0; i < rails.size(); ++i) {
    auto& resource = pools[i].resource;
    resource.name = config::rail_name(resource.name, i);
    resource.rails_auto = false;
    pools[i].members.clear();
    std::copy_if(pool.members.begin(), pool.members.end(), std::back_inserter(pools[i].members),
                 [&](const Member& member) { return port_of(member) == rails[i]; });
  }
  return pools;
}

}  // namespace railhead::pool
