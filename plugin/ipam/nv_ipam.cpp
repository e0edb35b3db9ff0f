#include "plugin/ipam/nv_ipam.hpp"

#include <algorithm>
#include <bit>
#include <map>

#include "base/text.hpp"

namespace railhead::ipam_tools {
namespace {

using host::IpPrefix;
using ipam::Address;
using ipam::contains;
using ipam::first_of;
using ipam::last_of;
using ipam::Number;
using ipam::size_of;

bool overlap(const IpPrefix& a, const IpPrefix& b) {
  return a.v6 == b.v6 && first_of(a) <= last_of(b) && first_of(b) <= last_of(a);
}

// What a node has of a pool.
struct Given {
  std::string node;
  Address first;
  Address last;
  std::optional<Address> gateway;  // that it says itself
};

Result<std::vector<Given>> given_by(const NvPool& pool) {
  const bool is_cidr = pool.kind == "CIDRPool";
  std::vector<Given> all;
  const auto add = [&](const Json& one) -> Result<void> {
    const auto node = text_of(member(one, "nodeName"));
    if (node.empty()) return {};  // a static one that is kept free
    const auto prefix = IpPrefix::parse(text_of(member(one, "prefix")));
    const auto first = is_cidr ? (prefix ? std::optional(first_of(*prefix)) : std::nullopt)
                               : Address::parse(text_of(member(one, "startIP")));
    const auto last = is_cidr ? (prefix ? std::optional(last_of(*prefix)) : std::nullopt)
                              : Address::parse(text_of(member(one, "endIP")));
    if (!first || !last || *last < *first || !contains(pool.network, *first) ||
        !contains(pool.network, *last)) {
      return fail(ErrorCode::invalid_argument, "{} {}: the allocation of {} is not in {}",
                  pool.kind, pool.name, node, pool.network.to_string());
    }
    if (std::ranges::none_of(all, [&](const auto& other) { return other.node == node; })) {
      all.push_back({node, *first, *last, Address::parse(text_of(member(one, "gateway")))});
    }
    return {};
  };
  for (const auto& one : member(member(pool.json, "status"), "allocations")) {
    if (auto added = add(one); !added) return pass(added);
  }
  for (const auto& one : member(member(pool.json, "spec"), "staticAllocations")) {
    if (auto added = add(one); !added) return pass(added);
  }
  if (all.empty()) {
    return fail(ErrorCode::invalid_argument,
                "{} {}: has no status.allocations: dump it from the cluster (kubectl get -o yaml)",
                pool.kind, pool.name);
  }
  return all;
}

// A pool in this formula's terms.
struct Rail {
  unsigned node_prefix = 0;
  std::optional<uint64_t> gateway;
  std::map<std::string, uint32_t> indexes;
  friend bool operator==(const Rail&, const Rail&) = default;
};

Result<std::map<std::string, uint32_t>> indexes_of(const NvPool& pool, std::span<const Given> given,
                                                   Number size, Number ahead) {
  std::map<std::string, uint32_t> indexes;
  const auto start = first_of(pool.network).value;
  for (const auto& one : given) {
    const auto index = (one.first.value - start) / size + ahead;
    if ((index + 1) * size > size_of(pool.network) || index > UINT32_MAX) {
      return fail(ErrorCode::invalid_argument,
                  "{} {}: {} has no room for a block of {} addresses for {}", pool.kind, pool.name,
                  pool.network.to_string(), static_cast<uint64_t>(size), one.node);
    }
    indexes.emplace(one.node, static_cast<uint32_t>(index));
  }
  return indexes;
}

Result<Rail> rail_of_cidr_pool(const NvPool& pool, std::span<const Given> given) {
  const auto& spec = member(pool.json, "spec");
  const auto prefix = number_of(member(spec, "perNodeNetworkPrefix"));
  if (!prefix || *prefix < pool.network.length || *prefix > ipam::bits_of(pool.network.v6)) {
    return fail(ErrorCode::invalid_argument,
                "CIDRPool {}: spec.perNodeNetworkPrefix: expected {} "
                "to {}",
                pool.name, pool.network.length, ipam::bits_of(pool.network.v6));
  }
  Rail rail{.node_prefix = *prefix};
  const auto size = size_of(first_of(pool.network).with_length(*prefix));
  for (const auto& one : given) {
    if (one.last.value - one.first.value + 1 != size) {
      return fail(ErrorCode::invalid_argument,
                  "CIDRPool {}: {} has not a block of /{} but {} to {}", pool.name, one.node,
                  *prefix, one.first.to_string(), one.last.to_string());
    }
  }
  if (const auto index = number_of(member(spec, "gatewayIndex"))) rail.gateway = *index;
  for (const auto& one : given) {
    const auto ours = rail.gateway ? one.first.plus(*rail.gateway) : std::nullopt;
    if (!one.gateway || one.gateway == ours) continue;
    return fail(
        ErrorCode::invalid_argument,
        "CIDRPool {}: the gateway of {} is {}, where spec.gatewayIndex says {}: one formula "
        "cannot say both",
        pool.name, one.node, one.gateway->to_string(), ours ? ours->to_string() : "none");
  }
  auto indexes = indexes_of(pool, given, size, 0);
  if (!indexes) return pass(indexes);
  rail.indexes = std::move(*indexes);
  return rail;
}

Result<Rail> rail_of_ip_pool(const NvPool& pool, std::span<const Given> given) {
  const auto& spec = member(pool.json, "spec");
  const auto block = number_of(member(spec, "perNodeBlockSize"));
  if (!block || *block == 0 || *block > 1U << ipam::kMaxBlockBits) {
    return fail(ErrorCode::invalid_argument, "IPPool {}: spec.perNodeBlockSize: expected 1 to {}",
                pool.name, 1U << ipam::kMaxBlockBits);
  }
  Rail rail;
  const Number size = std::bit_ceil(*block);
  const auto host_bits = static_cast<unsigned>(std::countr_zero(std::bit_ceil(*block)));
  rail.node_prefix = ipam::bits_of(pool.network.v6) - host_bits;
  const auto start = first_of(pool.network).value;
  const bool are_blocks = std::ranges::all_of(given, [&](const Given& one) {
    return (one.first.value - start) / size == (one.last.value - start) / size;
  });
  auto moved = std::vector<Given>(given.begin(), given.end());
  Number ahead = 0;
  if (!are_blocks) {
    std::ranges::sort(moved, {}, &Given::first);
    ahead = (moved.back().last.value - start) / size + 1;
    for (size_t i = 0; i < moved.size(); ++i) moved[i].first.value = start + size * i;
  }
  auto indexes = indexes_of(pool, moved, size, ahead);
  if (!indexes) return pass(indexes);
  rail.indexes = std::move(*indexes);
  const auto gateway = Address::parse(text_of(member(spec, "gateway")));
  if (gateway && contains(pool.network, *gateway)) {
    rail.gateway = static_cast<uint64_t>(gateway->value - start);
  }
  return rail;
}

Result<void> check_distinct(const NvPool& pool, const Rail& rail) {
  std::map<uint32_t, std::string> nodes;
  for (const auto& [node, index] : rail.indexes) {
    const auto [other, is_new] = nodes.emplace(index, node);
    if (is_new) continue;
    return fail(ErrorCode::invalid_argument, "{} {}: {} and {} would have one block of {} /{}",
                pool.kind, pool.name, other->second, node, pool.network.to_string(),
                rail.node_prefix);
  }
  return {};
}

Result<Rail> rail_of(const NvPool& pool) {
  const auto given = given_by(pool);
  if (!given) return pass(given);
  auto rail =
      pool.kind == "CIDRPool" ? rail_of_cidr_pool(pool, *given) : rail_of_ip_pool(pool, *given);
  if (!rail) return rail;
  if (auto distinct = check_distinct(pool, *rail); !distinct) return pass(distinct);
  return rail;
}

// What differs between the first pool and another, which one object cannot say.
Result<void> check_alike(const NvPool& first, const Rail& a, const NvPool& other, const Rail& b) {
  const auto refuse = [&](const std::string& what) {
    return fail(ErrorCode::invalid_argument, "{} and {}: {}", first.name, other.name, what);
  };
  if (first.kind != other.kind) return refuse("expected pools of one kind");
  if (first.network.v6 != other.network.v6) return refuse("expected pools of one family");
  if (overlap(first.network, other.network)) return refuse("their networks overlap");
  if (first.network.length != other.network.length || a.node_prefix != b.node_prefix) {
    return refuse("expected networks and blocks of one length");
  }
  if (a.gateway != b.gateway) return refuse("expected the gateway at one place in each");
  for (const auto* side : {&a, &b}) {
    const auto& across = side == &a ? b : a;
    for (const auto& [node, index] : side->indexes) {
      const auto at = across.indexes.find(node);
      if (at == across.indexes.end()) return refuse(fmt::format("{} is in one of them", node));
      if (at->second != index) {
        return refuse(
            fmt::format("{} has block {} in one and {} in the other", node, index, at->second));
      }
    }
  }
  return {};
}

Result<void> add_exclusions(Json& exclude, const NvPool& pool) {
  const auto& spec = member(pool.json, "spec");
  for (const auto& one : member(spec, "exclusions")) {
    const auto first = Address::parse(text_of(member(one, "startIP")));
    const auto last = Address::parse(text_of(member(one, "endIP")));
    if (!first || !last) {
      return fail(ErrorCode::invalid_argument, "{}: spec.exclusions: expected startIP and endIP",
                  pool.name);
    }
    exclude.push_back(fmt::format("{}-{}", first->to_string(), last->to_string()));
  }
  const auto& per_node = member(spec, "perNodeExclusions");
  if (!per_node.is_array() || per_node.empty()) return {};
  const auto given = given_by(pool);
  if (!given) return pass(given);
  for (const auto& one : per_node) {
    const auto start = number_of(member(one, "startIndex"));
    const auto end = number_of(member(one, "endIndex"));
    if (!start || !end || *end < *start) {
      return fail(ErrorCode::invalid_argument,
                  "{}: spec.perNodeExclusions: expected startIndex and endIndex", pool.name);
    }
    for (const auto& node : *given) {
      const auto first = node.first.plus(*start);
      const auto last = node.first.plus(*end);
      if (!first || !last || node.last < *last) {
        return fail(ErrorCode::invalid_argument,
                    "{}: spec.perNodeExclusions: {} is behind the block of {}", pool.name, *end,
                    node.node);
      }
      exclude.push_back(fmt::format("{}-{}", first->to_string(), last->to_string()));
    }
  }
  return {};
}

void add_routes(Json& routes, const NvPool& pool) {
  const auto& spec = member(pool.json, "spec");
  const auto add = [&](const std::string& destination) {
    const Json route{{"dst", destination}};
    if (std::ranges::find(routes, route) == routes.end()) routes.push_back(route);
  };
  const auto& is_default = member(spec, "defaultGateway");
  if (is_default == true || is_default == "true") add(pool.network.v6 ? "::/0" : "0.0.0.0/0");
  for (const auto& route : member(spec, "routes")) add(text_of(member(route, "dst")));
}

}  // namespace

Result<std::vector<NvPool>> nv_pools(const std::string& file, std::string_view text) {
  const auto all = documents(text);
  if (!all) return pass(all, file);
  std::vector<NvPool> pools;
  for (const auto& document : *all) {
    const auto kind = text_of(member(document, "kind"));
    if (kind != "CIDRPool" && kind != "IPPool") continue;
    const auto& metadata = member(document, "metadata");
    const auto space = text_of(member(metadata, "namespace"));
    const auto name = (space.empty() ? "" : space + "/") + text_of(member(metadata, "name"));
    const auto* key = kind == "CIDRPool" ? "cidr" : "subnet";
    const auto network = IpPrefix::parse(text_of(member(member(document, "spec"), key)));
    if (!network) {
      return fail(ErrorCode::invalid_argument, "{}: {} {}: spec.{}: expected a network", file, kind,
                  name, key);
    }
    pools.push_back({kind, name, network->network(), document});
  }
  return pools;
}

Result<std::string> import_pools(std::span<const NvPool> pools, std::span<const Address> held) {
  if (pools.empty()) {
    return fail(ErrorCode::invalid_argument, "there is no CIDRPool and no IPPool in it");
  }
  std::vector<Rail> rails;
  Json subnets = Json::array();
  Json exclude = Json::array();
  Json routes = Json::array();
  for (const auto& pool : pools) {
    auto rail = rail_of(pool);
    if (!rail) return pass(rail);
    for (size_t i = 0; i < rails.size(); ++i) {
      if (auto alike = check_alike(pools[i], rails[i], pool, *rail); !alike) return pass(alike);
    }
    subnets.push_back(pool.network.to_string());
    if (auto added = add_exclusions(exclude, pool); !added) return pass(added);
    add_routes(routes, pool);
    rails.push_back(std::move(*rail));
  }
  for (const auto& address : held) {
    const bool is_of_these = std::ranges::any_of(
        pools, [&](const NvPool& pool) { return contains(pool.network, address); });
    if (is_of_these) exclude.push_back(address.to_string());
  }
  const auto& first = rails.front();
  Json space{{"subnets", std::move(subnets)}, {"nodePrefix", first.node_prefix}};
  if (first.gateway) space["gateway"] = *first.gateway;
  Json ipam{{"type", "rails"},
            {"mode", pools.front().kind == "CIDRPool" ? "perNodeAndRail" : "perRail"},
            {pools.front().network.v6 ? "v6" : "v4", std::move(space)}};
  if (!exclude.empty()) ipam["exclude"] = std::move(exclude);
  if (!routes.empty()) ipam["routes"] = std::move(routes);
  if (const auto read = ipam::read_rails_conf(ipam); !read) {
    return pass(read, "what the pools become");
  }
  const Json whole{{"ipam", std::move(ipam)}, {"node", {{"list", first.indexes}}}};
  return whole.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::vector<std::string> pool_warnings(std::span<const NamedConf> confs,
                                       std::span<const NvPool> pools) {
  std::vector<std::string> warnings;
  for (const auto& pool : pools) {
    for (const auto& named : confs) {
      for (const auto* space : {&named.conf.v4, &named.conf.v6}) {
        if (!*space) continue;
        const auto& subnets = (*space)->subnets;
        const auto found = std::ranges::find_if(
            subnets, [&](const auto& subnet) { return overlap(subnet, pool.network); });
        if (found == subnets.end()) continue;
        warnings.push_back(fmt::format(
            "{}: {} {} gives out addresses of {} too ({}): remove it, or exclude what its leases "
            "hold",
            named.name, pool.kind, pool.name, found->to_string(), pool.network.to_string()));
      }
    }
  }
  return warnings;
}

}  // namespace railhead::ipam_tools
