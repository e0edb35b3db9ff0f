#include "plugin/pool/rails.hpp"

#include <algorithm>
#include <set>

#include "device/rails.hpp"
#include "plugin/pool/ask.hpp"

namespace railhead::pool {
namespace {

PciAddress port_of(const Member& member) { return member.pf.value_or(member.address); }

// The members' ports that get a number now: none where all are known; else those that are not, or,
// with no container that may know one, all.
template <class IsKnown>
std::set<PciAddress> unnumbered_ports(const std::vector<Member>& members, const IsKnown& is_known,
                                      bool is_allocated) {
  std::set<PciAddress> ports;
  for (const auto& member : members) ports.insert(port_of(member));
  if (std::ranges::all_of(ports, is_known)) return {};
  if (is_allocated) std::erase_if(ports, is_known);
  return ports;
}

using Functions = std::vector<const device::PciFunction*>;

std::pair<Functions, Functions> ports_and_gpus(const std::set<PciAddress>& wanted,
                                               const device::Inventory& inventory) {
  Functions ports;
  Functions gpus;
  for (const auto& function : inventory.functions()) {
    if (wanted.contains(function.address)) ports.push_back(&function);
    if (function.is_gpu) gpus.push_back(&function);
  }
  return {std::move(ports), std::move(gpus)};
}

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
  const auto is_known = [&](const PciAddress& port) {
    return std::ranges::find(known, port) != known.end();
  };
  const auto unnumbered = unnumbered_ports(members, is_known, is_allocated);
  if (unnumbered.empty()) return known;
  if (!is_allocated) known.clear();
  const auto [ports, gpus] = ports_and_gpus(unnumbered, inventory);
  for (const auto place : device::rail_order(ports, gpus)) known.push_back(ports[place]->address);
  return known;
}

device::RailMap number_rails(const std::vector<Member>& members, const device::Inventory& inventory,
                             device::RailMap known, bool is_allocated) {
  const auto is_known = [&](const PciAddress& port) {
    return device::place_of(known, port).has_value();
  };
  const auto unnumbered = unnumbered_ports(members, is_known, is_allocated);
  if (unnumbered.empty()) return known;
  if (!is_allocated) known.clear();
  const auto [ports, gpus] = ports_and_gpus(unnumbered, inventory);
  std::ranges::move(device::rails_of(ports, gpus), std::back_inserter(known));
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
