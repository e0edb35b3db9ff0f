#include "ipam/rails_conf.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/text.hpp"

namespace railhead::ipam {
namespace {

constexpr int64_t kLeastMtu = 68;  // RFC 791
constexpr int64_t kMostMtu = 65535;

using go_json::Object;
using host::IpPrefix;

// Collects what is wrong; the first is told.
class Reader {
 public:
  Reader(const nlohmann::ordered_json& json) : ipam_(json, "ipam", errors_) {}

  Result<RailsConf> read() {
    ipam_.value("type");
    read_mode();
    read_rails();
    conf_.v4 = read_space("v4", false);
    conf_.v6 = read_space("v6", true);
    if (!conf_.v4 && !conf_.v6) ipam_.error("v4", "missing, and so is v6; expected one of them");
    settle_rails();
    read_exclusions();
    read_routes();
    read_same_offset();
    for (const auto& key : ipam_.unknown_keys()) {
      refuse(key.path, key.meant.empty() ? "unknown key" : "unknown key; meant is " + key.meant);
    }
    if (!errors_.empty()) return fail(ErrorCode::invalid_argument, "{}", errors_.front().message);
    return conf_;
  }

 private:
  void refuse(std::string_view path, std::string_view message) {
    errors_.push_back(Error{ErrorCode::invalid_argument, 0, fmt::format("{}: {}", path, message)});
  }

  void read_mode() {
    const auto word = ipam_.string("mode").value_or("perRail");
    if (word == "perRail") return;
    if (word == "perNodeAndRail") {
      conf_.mode = Mode::per_node_and_rail;
    } else if (word == "flat") {
      conf_.mode = Mode::flat;
    } else {
      ipam_.error("mode", fmt::format("\"{}\": expected perRail, perNodeAndRail or flat", word));
    }
  }

  void read_rails() {
    const auto rails = ipam_.integer("rails");
    if (!rails) return;
    if (*rails < 1 || *rails > kMaxRails) {
      return ipam_.error("rails", fmt::format("{}: expected 1 to {}", *rails, kMaxRails));
    }
    conf_.rails = static_cast<uint32_t>(*rails);
  }

  std::optional<IpPrefix> network(Object& at, std::string_view key, const std::string& text,
                                  bool v6) {
    const auto prefix = IpPrefix::parse(text);
    if (!prefix || prefix->v6 != v6 || text.find('/') == std::string::npos) {
      at.error(key, fmt::format("\"{}\": expected an IPv{} network", text, v6 ? 6 : 4));
      return std::nullopt;
    }
    if (!(*prefix == prefix->network())) {
      at.error(key, fmt::format("\"{}\": has bits behind its length; expected {}", text,
                                prefix->network().to_string()));
      return std::nullopt;
    }
    if (!is_for_hosts(*prefix)) {
      at.error(key, fmt::format("\"{}\": no host can have addresses of it", text));
      return std::nullopt;
    }
    return prefix;
  }

  // Not "this network", loopback, multicast or what is reserved behind it (RFC 6890); of IPv6 not
  // ::/8, which has loopback and IPv4's addresses, link-local or multicast.
  static bool is_for_hosts(const IpPrefix& prefix) {
    const auto first = prefix.bytes[0];
    if (!prefix.v6) return first != 0 && first != 127 && first < 224;
    return first != 0 && first != 0xff && !(first == 0xfe && (prefix.bytes[1] & 0xc0) == 0x80);
  }

  std::optional<unsigned> length(Object& at, std::string_view key, unsigned least, unsigned most) {
    const auto number = at.integer(key);
    if (!number) return std::nullopt;
    if (*number >= least && *number <= most) return static_cast<unsigned>(*number);
    at.error(key, fmt::format("{}: expected {} to {}", *number, least, most));
    return std::nullopt;
  }

  // `subnets` by rail, or one `subnet`, which is cut into those of `railPrefix`.
  std::vector<IpPrefix> read_subnets(Object& at, bool v6) {
    std::vector<IpPrefix> subnets;
    for (const auto& text : at.strings("subnets").value_or(std::vector<std::string>{})) {
      if (auto subnet = network(at, "subnets", text, v6)) subnets.push_back(*subnet);
    }
    const auto text = at.string("subnet");
    if (!text) return subnets;
    if (!subnets.empty()) at.error("subnet", "stands beside subnets; expected one of them");
    const auto whole = network(at, "subnet", *text, v6);
    if (!whole) return {};
    if (conf_.mode == Mode::flat) return {*whole};
    const auto rail_prefix = length(at, "railPrefix", whole->length, bits_of(v6));
    if (!rail_prefix || conf_.rails == 0) {
      at.error("subnet", "is cut into the rails' subnets; expected railPrefix, and ipam.rails");
      return {};
    }
    const auto bits = bits_of(v6) - *rail_prefix;
    for (uint32_t rail = 0; rail < conf_.rails; ++rail) {
      const auto first = bits < 128 ? first_of(*whole).plus(Number{rail} << bits) : std::nullopt;
      if (!first || !contains(*whole, *first)) {
        at.error("railPrefix", fmt::format("{}: {} has no {} such networks", *rail_prefix,
                                           whole->to_string(), conf_.rails));
        return {};
      }
      subnets.push_back(first->with_length(*rail_prefix));
    }
    return subnets;
  }

  void read_gateway(Object& at, Space& space, bool v6) {
    const auto* value = at.value("gateway");
    const unsigned subnet_length =
        conf_.mode == Mode::per_node_and_rail ? space.node_prefix : space.subnets.front().length;
    const bool is_pair = subnet_length == bits_of(v6) - 1;
    if (!value && is_pair) {
      at.error("gateway",
               "missing; of two addresses one is the switch's: expected \"peer\", 0 or 1");
    }
    if (!value) return;
    if (*value == "peer") {
      if (!is_pair) return at.error("gateway", "peer: expected blocks of two addresses");
      space.gateway = 0;
      return;
    }
    const auto most = size_of(first_of(space.subnets.front()).with_length(subnet_length)) - 1;
    if (!value->is_number_integer() || value->get<int64_t>() < (is_pair ? 0 : 1) ||
        Number(value->get<int64_t>()) > most) {
      return at.error("gateway", fmt::format("{}: expected \"peer\", or its place in the subnet",
                                             go_json::quote(*value)));
    }
    space.gateway = Number(value->get<int64_t>());
  }

  std::optional<Space> read_space(std::string_view key, bool v6) {
    auto at = ipam_.object(key);
    if (!at) return std::nullopt;
    const auto before = errors_.size();
    Space space;
    space.subnets = read_subnets(*at, v6);
    if (errors_.size() != before) return std::nullopt;
    if (space.subnets.empty()) {
      at->error("subnets", "missing; expected the rails' networks");
      return std::nullopt;
    }
    check_apart(*at, space);
    if (conf_.mode == Mode::flat && space.subnets.size() != 1) {
      at->error("subnets", "mode flat has one subnet");
    }
    unsigned longest = 0;
    for (const auto& subnet : space.subnets) longest = std::max<unsigned>(longest, subnet.length);
    const auto least = std::max(longest, bits_of(v6) - kMaxBlockBits);
    const auto prefix = length(*at, "nodePrefix", least, bits_of(v6));
    if (!prefix && errors_.size() == before) {
      at->error("nodePrefix",
                fmt::format("missing; expected the length of a node's block, {} to {}", least,
                            bits_of(v6)));
    }
    space.node_prefix = prefix.value_or(bits_of(v6));
    if (errors_.size() == before) read_gateway(*at, space, v6);
    for (const auto& unknown : at->unknown_keys()) refuse(unknown.path, "unknown key");
    if (errors_.size() != before) return std::nullopt;
    return space;
  }

  void check_apart(Object& at, const Space& space) {
    if (space.subnets.size() > kMaxRails) {
      return at.error("subnets", fmt::format("{} of them: expected at most {}",
                                             space.subnets.size(), kMaxRails));
    }
    for (size_t i = 0; i < space.subnets.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (first_of(space.subnets[i]) <= last_of(space.subnets[j]) &&
            first_of(space.subnets[j]) <= last_of(space.subnets[i])) {
          return at.error("subnets", fmt::format("{} and {} overlap", space.subnets[j].to_string(),
                                                 space.subnets[i].to_string()));
        }
      }
    }
  }

  void settle_rails() {
    if (!errors_.empty()) return;
    for (const auto* space : {&conf_.v4, &conf_.v6}) {
      if (!*space || conf_.mode == Mode::flat) continue;
      const auto count = static_cast<uint32_t>((*space)->subnets.size());
      if (conf_.rails == 0) conf_.rails = count;
      if (count != conf_.rails || count > kMaxRails) {
        return ipam_.error("rails", fmt::format("{}: there are {} subnets; expected as many, at "
                                                "most {}",
                                                conf_.rails, count, kMaxRails));
      }
    }
    if (conf_.rails == 0) ipam_.error("rails", "missing; mode flat needs to know how many");
  }

  void read_exclusions() {
    const auto texts = ipam_.strings("exclude").value_or(std::vector<std::string>{});
    if (texts.size() > kMaxExclusions) {
      return ipam_.error(
          "exclude", fmt::format("{} of them: expected at most {}", texts.size(), kMaxExclusions));
    }
    for (const auto& text : texts) {
      const auto dash = text.find('-');
      if (dash != std::string::npos) {
        const auto first = Address::parse(trim(std::string_view(text).substr(0, dash)));
        const auto last = Address::parse(trim(std::string_view(text).substr(dash + 1)));
        if (first && last && first->v6 == last->v6 && *first <= *last) {
          conf_.excluded.push_back({*first, *last});
          continue;
        }
      } else if (const auto prefix = IpPrefix::parse(text)) {
        conf_.excluded.push_back({first_of(*prefix), last_of(*prefix)});
        continue;
      }
      ipam_.error("exclude",
                  fmt::format("\"{}\": expected an address, a network, or first-last", text));
    }
    merge_exclusions();
  }

  // In order and apart, so that is_usable() finds one by halving.
  void merge_exclusions() {
    auto& all = conf_.excluded;
    std::ranges::sort(all, {}, [](const auto& one) { return std::pair(one.first, one.last); });
    std::vector<Exclusion> merged;
    for (const auto& one : all) {
      const bool meets = !merged.empty() && merged.back().first.v6 == one.first.v6 &&
                         one.first <= merged.back().last;
      if (meets) {
        merged.back().last = std::max(merged.back().last, one.last);
      } else {
        merged.push_back(one);
      }
    }
    all = std::move(merged);
  }

  void read_routes() {
    auto items = ipam_.objects("routes");
    if (!items) return;
    if (items->size() > kMaxRoutes) {
      return ipam_.error("routes",
                         fmt::format("{} of them: expected at most {}", items->size(), kMaxRoutes));
    }
    conf_.routes.emplace();
    for (auto& item : *items) {
      const auto destination = item.string("dst").value_or("");
      const auto prefix = IpPrefix::parse(destination);
      if (!prefix || destination.find('/') == std::string::npos) {
        item.error("dst", fmt::format("\"{}\": expected a network", destination));
        continue;
      }
      GivenRoute route{*prefix};
      if (const auto mtu = item.integer("mtu")) {
        if (*mtu < kLeastMtu || *mtu > kMostMtu) {
          item.error("mtu", fmt::format("{}: expected {} to {}", *mtu, kLeastMtu, kMostMtu));
          continue;
        }
        route.mtu = static_cast<uint32_t>(*mtu);
      }
      if (const auto gateway = item.string("gw")) {
        route.gateway = Address::parse(*gateway);
        if (!route.gateway || route.gateway->v6 != prefix->v6) {
          item.error("gw",
                     fmt::format("\"{}\": expected an address of the route's family", *gateway));
        }
      }
      for (const auto& unknown : item.unknown_keys()) refuse(unknown.path, "unknown key");
      conf_.routes->push_back(route);
    }
  }

  void read_same_offset() {
    const auto word = ipam_.string("sameOffset").value_or("require");
    conf_.may_differ = word == "prefer";
    if (word != "require" && word != "prefer") {
      ipam_.error("sameOffset", fmt::format("\"{}\": expected require or prefer", word));
    }
  }

  std::vector<Error> errors_;
  Object ipam_;
  RailsConf conf_;
};

// Of the rail, which of the subnets.
const IpPrefix& subnet_of(const RailsConf& conf, const Space& space, uint32_t rail) {
  return space.subnets[conf.mode == Mode::flat ? 0 : rail];
}

}  // namespace

Result<RailsConf> read_rails_conf(const nlohmann::ordered_json& ipam) {
  if (!ipam.is_object()) {
    return fail(ErrorCode::invalid_argument, "ipam: {}: expected an object", go_json::quote(ipam));
  }
  return Reader(ipam).read();
}

Number node_count(const RailsConf& conf) {
  std::optional<Number> least;
  for (const auto* space : {&conf.v4, &conf.v6}) {
    if (!*space) continue;
    for (const auto& subnet : (*space)->subnets) {
      const auto bits = (*space)->node_prefix - subnet.length;
      const auto count = bits >= 64 ? Number{1} << 64 : Number{1} << bits;
      least = std::min(least.value_or(count), count);
    }
  }
  return least.value_or(1);
}

Result<Block> block_of(const RailsConf& conf, const Space& space, uint32_t node, uint32_t rail) {
  if (Number{node} >= node_count(conf)) {
    return fail(ErrorCode::invalid_argument,
                "the node's index {} is out of range: nodePrefix {} makes {} blocks of {}", node,
                space.node_prefix, static_cast<uint64_t>(node_count(conf)),
                subnet_of(conf, space, rail).to_string());
  }
  const auto& subnet = subnet_of(conf, space, rail);
  const auto bits = bits_of(subnet.v6) - space.node_prefix;
  const Address first{subnet.v6, first_of(subnet).value + (Number{node} << bits)};
  Block block;
  block.block = first.with_length(space.node_prefix);
  block.subnet = conf.mode == Mode::per_node_and_rail ? block.block : subnet;
  if (space.gateway) block.gateway = first_of(block.subnet).plus(*space.gateway);
  return block;
}

bool is_usable(const RailsConf& conf, const Block& block, const Address& address) {
  // RFC 3021, RFC 6164: a network of two addresses has no number of its own and no broadcast.
  const bool is_pair = block.subnet.length + 1u >= bits_of(address.v6);
  if (!is_pair && address == first_of(block.subnet)) return false;
  if (!is_pair && !address.v6 && address == last_of(block.subnet)) return false;
  if (block.gateway == address) return false;
  const auto behind = std::ranges::upper_bound(conf.excluded, address, {}, &Exclusion::first);
  if (behind == conf.excluded.begin()) return true;
  const auto& before = *std::prev(behind);
  return before.first.v6 != address.v6 || before.last < address;
}

}  // namespace railhead::ipam
