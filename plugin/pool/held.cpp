#include "plugin/pool/held.hpp"

#include <algorithm>

#include "plugin/grant/known_nodes.hpp"

namespace railhead::pool {
namespace {

// "rdma/vf"; of the resource itself, which was of the other kind then: "rdma/vf, shared".
std::string what(const ledger::Holding& holding, const std::string& resource) {
  const auto* kind = holding.is_share() ? ", shared" : ", not shared";
  return holding.resource + (holding.resource == resource ? kind : "");
}

// Why the member is not to be given out as `resource` while others hold what they hold.
Reason reason_to_wait(const Member& member, const config::Resource& resource, const HeldBy& held,
                      const device::Inventory& inventory) {
  const auto name = resource.full_name();
  const bool is_shared = resource.sharing.has_value();
  const auto last = held.last_given_as.find(member.id);
  const bool last_given_otherwise =
      last != held.last_given_as.end() && (last->second != name || is_shared);
  bool is_own = false;
  for (const auto* holding : held.holdings.of(member.id)) {
    if (holding->resource.empty()) {  // an attachment, as whatever it was given
      if (last_given_otherwise) {
        return {Cause::held,
                fmt::format("attached to {}, which was given it as {}; free when that ends",
                            holding->who(), last->second)};
      }
      is_own = true;
      continue;
    }
    const bool is_named = holding->resource == name;
    // Kubelet counts a resource's own devices, while they are of one kind; several resources may
    // share one.
    if (holding->is_share() != is_shared || (!is_named && !is_shared)) {
      return {Cause::held, fmt::format("held by {} as {}; free when that ends", holding->who(),
                                       what(*holding, name))};
    }
    is_own |= is_named;
  }
  if (is_own) return {};
  if (held.holdings.state(member.id) == ledger::State::unknown && last_given_otherwise) {
    return {Cause::unknown,
            fmt::format("whether a pod still has it as {} is not known: kubelet has not said yet",
                        last->second)};
  }
  // After a boot kubelet admits the pods of before only where their devices are healthy.
  for (const auto& node : grant::known_own_nodes(member, inventory)) {
    if (const auto* other = held.holdings.other_with_node(node, member.id, /*certainly=*/true)) {
      return {Cause::open,
              fmt::format("{} is still open to {}; free when that ends", node, other->who())};
    }
  }
  return {};
}

config::Resource resource_named(const std::string& full_name) {
  config::Resource resource;
  const auto slash = full_name.find('/');
  resource.prefix = full_name.substr(0, slash);
  resource.name = full_name.substr(slash + 1);
  return resource;
}

// What is held as a resource that does not offer it any more.
class Leftovers {
 public:
  Leftovers(const HeldBy& held, const device::Inventory& inventory, Selection& selection)
      : held_(held), inventory_(inventory), selection_(selection) {
    for (size_t i = 0; i < selection.pools.size(); ++i) {
      places_.emplace(selection.pools[i].resource.full_name(), i);
    }
  }

  bool add() {
    bool any = false;
    for (const auto& holding : held_.holdings.all()) {
      const auto& resource = holding.resource;
      if (!held_.own_resources.contains(resource)) continue;
      const auto [known, is_first] = ids_.try_emplace(resource);
      if (is_first) known->second = ids_of(pool(resource));
      if (!known->second.insert(holding.id).second) continue;
      pool(resource).leftovers.push_back(offer(holding));
      any = true;
    }
    return any;
  }

 private:
  Pool& pool(const std::string& resource) {
    const auto [place, is_new] = places_.try_emplace(resource, selection_.pools.size());
    if (is_new) selection_.pools.push_back({.resource = resource_named(resource)});
    return selection_.pools[place->second];
  }

  static std::set<std::string> ids_of(const Pool& pool) {
    std::set<std::string> ids;
    for (auto& offer : offers(pool)) ids.insert(std::move(offer.id));
    return ids;
  }

  // Kubelet would let nobody have a device that has gone; whoever has it must be told.
  [[nodiscard]] Offer offer(const ledger::Holding& holding) const {
    Offer offer{holding.id, true, std::nullopt, std::nullopt};
    const auto address = PciAddress::parse(holding.device);
    if (!address || !ledger::device_of(holding.id)) return offer;
    offer.address = address;
    offer.healthy = held_.on_bus.contains(*address);
    if (const auto* function = inventory_.find(*address)) offer.numa_node = function->numa_node;
    return offer;
  }

  const HeldBy& held_;
  const device::Inventory& inventory_;
  Selection& selection_;
  std::map<std::string, size_t> places_;              // of pools, by resource
  std::map<std::string, std::set<std::string>> ids_;  // that are offered, by resource
};

}  // namespace

bool keep_to_holders(const HeldBy& held, const device::Inventory& inventory, Selection& selection) {
  bool waits = false;
  for (auto& pool : selection.pools) {
    for (auto& member : pool.members) {
      auto reason = reason_to_wait(member, pool.resource, held, inventory);
      if (reason.text.empty()) continue;
      member.withheld = member.sickness = std::move(reason.text);
      member.cause = reason.cause;
      waits = true;
    }
  }
  return Leftovers(held, inventory, selection).add() || waits;
}

}  // namespace railhead::pool
