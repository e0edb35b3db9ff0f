#include "ipam/rails.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"

namespace railhead::ipam {
namespace {

using Used = std::map<Address, std::string>;  // by whom

std::string who(const PodLeases& pod) {
  return pod.pod.empty() ? fmt::format("container {}", pod.container_id)
                         : fmt::format("pod {} (container {})", pod.pod, pod.container_id);
}

// One rail of a pod: its blocks, IPv4's first.
using Blocks = std::vector<Block>;

class Allocation {
 public:
  Allocation(const RailsConf& conf, uint32_t node, const Used& used)
      : conf_(conf), node_(node), used_(used) {}

  // For one device of each of these rails.
  Result<std::vector<std::vector<Address>>> choose(std::span<const uint32_t> rails,
                                                   std::optional<Number> preferred) {
    std::vector<Blocks> blocks;
    for (const auto rail : rails) {
      auto of_rail = blocks_of(rail);
      if (!of_rail) return pass(of_rail);
      blocks.push_back(std::move(*of_rail));
    }
    if (preferred) {
      if (auto all = at(*preferred, rails, blocks)) return std::move(*all);
      if (!conf_.may_differ) return refuse_at(*preferred, rails, blocks);
    } else {
      for (Number place = 0; place < places(blocks); ++place) {
        if (auto all = at(place, rails, blocks)) return std::move(*all);
      }
    }
    if (conf_.may_differ) {
      if (auto all = each_alone(rails, blocks)) return std::move(*all);
    }
    return refuse(rails, blocks);
  }

  // The place of an address of that rail, as choose() counts them.
  [[nodiscard]] std::optional<Number> place_of(uint32_t rail, const Address& address) const {
    const auto blocks = blocks_of(rail);
    if (!blocks) return std::nullopt;
    for (const auto& block : *blocks) {
      if (!contains(block.block, address)) continue;
      const auto offset = address.value - first_of(block.block).value;
      return conf_.mode == Mode::flat ? offset / conf_.rails : offset;
    }
    return std::nullopt;
  }

  Result<Blocks> blocks_of(uint32_t rail) const {
    if (rail >= conf_.rails) {
      return fail(ErrorCode::invalid_argument, "rail {}: ipam knows the rails 0 to {}", rail,
                  conf_.rails - 1);
    }
    Blocks blocks;
    for (const auto* space : {&conf_.v4, &conf_.v6}) {
      if (!*space) continue;
      auto block = block_of(conf_, **space, node_, rail);
      if (!block) return pass(block);
      blocks.push_back(*block);
    }
    return blocks;
  }

 private:
  // In mode flat a place is a run of one address for each rail, aligned at their number.
  [[nodiscard]] Number places(const std::vector<Blocks>& blocks) const {
    std::optional<Number> least;
    for (const auto& of_rail : blocks) {
      for (const auto& block : of_rail) {
        least = std::min(least.value_or(size_of(block.block)), size_of(block.block));
      }
    }
    const auto count = least.value_or(0);
    return conf_.mode == Mode::flat ? count / conf_.rails : count;
  }

  [[nodiscard]] Address address_at(Number place, uint32_t rail, const Block& block) const {
    const auto offset = conf_.mode == Mode::flat ? place * conf_.rails + rail : place;
    return {block.block.v6, first_of(block.block).value + offset};
  }

  [[nodiscard]] bool is_free(const Block& block, const Address& address) const {
    return contains(block.block, address) && is_usable(conf_, block, address) &&
           !used_.contains(address);
  }

  [[nodiscard]] std::optional<std::vector<Address>> one_at(Number place, uint32_t rail,
                                                           const Blocks& blocks) const {
    std::vector<Address> addresses;
    for (const auto& block : blocks) {
      const auto address = address_at(place, rail, block);
      if (!is_free(block, address)) return std::nullopt;
      addresses.push_back(address);
    }
    return addresses;
  }

  [[nodiscard]] std::optional<std::vector<std::vector<Address>>> at(
      Number place, std::span<const uint32_t> rails, const std::vector<Blocks>& blocks) const {
    std::vector<std::vector<Address>> all;
    for (size_t i = 0; i < rails.size(); ++i) {
      auto one = one_at(place, rails[i], blocks[i]);
      if (!one) return std::nullopt;
      all.push_back(std::move(*one));
    }
    return all;
  }

  [[nodiscard]] std::optional<std::vector<std::vector<Address>>> each_alone(
      std::span<const uint32_t> rails, const std::vector<Blocks>& blocks) const {
    std::vector<std::vector<Address>> all;
    for (size_t i = 0; i < rails.size(); ++i) {
      std::optional<std::vector<Address>> one;
      for (Number place = 0; place < places({blocks[i]}) && !one; ++place) {
        one = one_at(place, rails[i], blocks[i]);
      }
      if (!one) return std::nullopt;
      all.push_back(std::move(*one));
    }
    return all;
  }

  [[nodiscard]] std::string holder_in(const Blocks& blocks) const {
    for (const auto& block : blocks) {
      for (auto one = used_.lower_bound(first_of(block.block));
           one != used_.end() && one->first <= last_of(block.block); ++one) {
        return one->second;
      }
    }
    return "";
  }

  Failure refuse_at(Number place, std::span<const uint32_t> rails,
                    const std::vector<Blocks>& blocks) const {
    for (size_t i = 0; i < rails.size(); ++i) {
      if (one_at(place, rails[i], blocks[i])) continue;
      const auto address = address_at(place, rails[i], blocks[i].front());
      const auto at = used_.find(address);
      return fail(ErrorCode::busy,
                  "rail {}: {}, the address at the place that the pod has on its other rails, is "
                  "{}: free it, or say sameOffset: prefer",
                  rails[i], address.to_string(),
                  at == used_.end() ? "not to be given" : at->second + "'s");
    }
    return refuse(rails, blocks);
  }

  Failure refuse(std::span<const uint32_t> rails, const std::vector<Blocks>& blocks) const {
    for (size_t i = 0; i < rails.size(); ++i) {
      const auto& block = blocks[i].front();
      if (size_of(block.block) == 2 && conf_.mode == Mode::per_node_and_rail) {
        return fail(ErrorCode::busy,
                    "rail {}: a /{} holds one pod per rail and node, and {} has {}: it is free "
                    "once that pod is gone",
                    rails[i], block.block.length, holder_in(blocks[i]), block.block.to_string());
      }
    }
    return fail(ErrorCode::busy,
                "rails {}: no {} is free in all of the node's blocks ({} and so on): make "
                "nodePrefix shorter{}",
                join(rails), conf_.mode == Mode::flat ? "aligned run of addresses" : "place",
                blocks.front().front().block.to_string(),
                conf_.may_differ ? "" : ", or say sameOffset: prefer");
  }

  static std::string join(std::span<const uint32_t> rails) {
    std::string text;
    for (const auto rail : rails) text += (text.empty() ? "" : ", ") + std::to_string(rail);
    return text;
  }

  const RailsConf& conf_;
  const uint32_t node_;
  const Used& used_;
};

// Of addresses that IPAM gives, with what their subnets say of the way out.
OnRail given_of(const RailsConf& conf, const Blocks& blocks, const std::vector<Address>& addresses,
                uint32_t rail) {
  OnRail given;
  std::optional<Address> gateways[2];
  for (const auto& address : addresses) {
    for (const auto& block : blocks) {
      if (!contains(block.block, address)) continue;
      given.addresses.push_back({address.with_length(block.subnet.length), block.gateway});
      gateways[address.v6] = block.gateway;
      // The other nodes' blocks of the rail lie behind the gateway.
      const auto& space = address.v6 ? conf.v6 : conf.v4;
      if (conf.mode != Mode::per_node_and_rail || !block.gateway || conf.routes || !space) continue;
      if (!(space->subnets[rail] == block.subnet)) {
        given.routes.push_back({space->subnets[rail], block.gateway});
      }
    }
  }
  for (auto route : conf.routes.value_or(std::vector<GivenRoute>{})) {
    if (!route.gateway) route.gateway = gateways[route.destination.v6];
    const bool has_family = std::ranges::any_of(
        addresses, [&](const auto& address) { return address.v6 == route.destination.v6; });
    if (has_family) given.routes.push_back(route);
  }
  return given;
}

const RailLease* lease_of(const PodLeases& pod, const std::string& ifname) {
  const auto at = std::ranges::find(pod.leases, ifname, &RailLease::ifname);
  return at == pod.leases.end() ? nullptr : &*at;
}

}  // namespace

Result<std::vector<OnRail>> allocate(const RailLeases& leases, const RailsConf& conf, uint32_t node,
                                     const PodOwner& owner, std::span<const Wanted> wanted) {
  const auto pods = leases.all();
  if (!pods) return pass(pods);
  PodLeases own{owner.network, owner.container_id, owner.pod, "", node, {}};
  std::vector<const RailLease*> of_container;  // of its other networks too
  Used used;
  for (const auto& pod : *pods) {
    if (pod.network == own.network && pod.container_id == own.container_id) own.leases = pod.leases;
    for (const auto& lease : pod.leases) {
      if (pod.container_id == own.container_id) of_container.push_back(&lease);
      for (const auto& address : lease.addresses) used[address] = who(pod);
    }
  }
  Allocation allocation(conf, node, used);
  std::map<uint32_t, std::vector<const Wanted*>> missing;  // by the device's number on its rail
  for (const auto& one : wanted) {
    if (auto blocks = allocation.blocks_of(one.rail); !blocks) return pass(blocks);
    if (!lease_of(own, one.ifname)) missing[one.further].push_back(&one);
  }
  for (const auto& [further, group] : missing) {
    std::vector<uint32_t> rails;
    for (const auto* one : group) rails.push_back(one->rail);
    if (std::set(rails.begin(), rails.end()).size() != rails.size()) {
      return fail(ErrorCode::invalid_argument,
                  "two interfaces of one rail have the same railIndex: expected different ones");
    }
    std::optional<Number> preferred;
    for (const auto* lease : of_container) {
      if (preferred || lease->further != further || lease->addresses.empty()) continue;
      preferred = allocation.place_of(lease->rail, lease->addresses.front());
    }
    auto chosen = allocation.choose(rails, preferred);
    if (!chosen) return pass(chosen);
    for (size_t i = 0; i < group.size(); ++i) {
      for (const auto& address : (*chosen)[i]) used[address] = who(own);
      own.leases.push_back({group[i]->ifname, group[i]->rail, further, std::move((*chosen)[i])});
    }
  }
  if (!missing.empty()) {
    if (auto put = leases.put(own); !put) return pass(put);
  }
  std::vector<OnRail> all;
  for (const auto& one : wanted) {
    const auto& lease = *lease_of(own, one.ifname);
    all.push_back(given_of(conf, *allocation.blocks_of(one.rail), lease.addresses, one.rail));
    if (all.back().addresses.size() != lease.addresses.size()) {
      return fail(ErrorCode::busy,
                  "{}: its lease is of other blocks than the configuration's now: it ends with "
                  "the pod's sandbox",
                  one.ifname);
    }
  }
  return all;
}

Result<void> release(const RailLeases& leases, const std::string& network,
                     const std::string& container_id, const std::string& ifname) {
  auto pod = leases.of(network, container_id);
  if (is(pod, ErrorCode::invalid_argument)) return {};  // no lease was given under such a name
  if (is(pod, ErrorCode::decode)) return leases.drop(network, container_id);
  if (!pod) return pass(pod);
  if (std::erase_if(pod->leases, [&](const auto& lease) { return lease.ifname == ifname; }) == 0) {
    return {};
  }
  return leases.put_fewer(*pod);
}

Result<RailLease> find_lease(const RailLeases& leases, const std::string& network,
                             const std::string& container_id, const std::string& ifname) {
  const auto pod = leases.of(network, container_id);
  if (!pod) return pass(pod);
  if (const auto* lease = lease_of(*pod, ifname)) return *lease;
  return fail(ErrorCode::not_found, "{} of container {} has no lease of network {}", ifname,
              container_id, network);
}

Result<void> collect_garbage(const RailLeases& leases, const std::string& network,
                             std::span<const LeaseKey> valid) {
  auto pods = leases.all();
  if (!pods) return pass(pods);
  for (auto& pod : *pods) {
    if (pod.network != network) continue;
    const auto freed = std::erase_if(pod.leases, [&](const auto& lease) {
      return std::ranges::find(valid, LeaseKey{pod.container_id, lease.ifname}) == valid.end();
    });
    if (freed == 0) continue;
    if (auto put = leases.put_fewer(pod); !put) return put;
  }
  return {};
}

Result<std::vector<PodLeases>> collect_lost(const RailLeases& leases,
                                            const std::set<std::string>& containers, Lost what) {
  auto pods = leases.all();
  if (!pods) return pods;
  std::erase_if(*pods, [&](const auto& pod) { return containers.contains(pod.container_id); });
  for (const auto& pod : *pods) {
    if (what == Lost::only_told) break;
    if (auto dropped = leases.drop(pod.network, pod.container_id); !dropped) return pass(dropped);
  }
  return pods;
}

}  // namespace railhead::ipam
