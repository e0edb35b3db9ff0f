#include "plugin/pool/rails.hpp"

#include <algorithm>
#include <set>

#include "device/rails.hpp"

namespace railhead::pool {
namespace {

PciAddress port_of(const Member& member) { return member.pf.value_or(member.address); }

}  // namespace

std::vector<PciAddress> order_rails(const std::vector<Member>& members,
                                    const device::Inventory& inventory,
                                    std::vector<PciAddress> known) {
  std::set<PciAddress> others;
  for (const auto& member : members) {
    const auto port = port_of(member);
    if (std::find(known.begin(), known.end(), port) == known.end()) others.insert(port);
  }
  std::vector<const device::PciFunction*> ports;
  std::vector<const device::PciFunction*> gpus;
  for (const auto& function : inventory.functions()) {
    if (others.contains(function.address)) ports.push_back(&function);
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
