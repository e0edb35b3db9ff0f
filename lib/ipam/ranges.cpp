#include "ipam/ranges.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/text.hpp"
#include "ipam/refuse.hpp"

namespace railhead::ipam {
namespace {

using go_json::Object;
using Json = nlohmann::ordered_json;

constexpr size_t kMaxSets = 64;     // more addresses than an interface ever has
constexpr size_t kMaxRanges = 256;  // of a set: each is compared with each
// The keys that say what is given: an entry of perRail that has one of them has none of the others
// from `ipam` itself.
constexpr std::string_view kRangeKeys[] = {"subnet", "rangeStart", "rangeEnd", "gateway", "ranges"};

bool is_range_key(std::string_view key) {
  return std::ranges::any_of(kRangeKeys,
                             [&](std::string_view one) { return equal_ignoring_case(one, key); });
}

void erase_if_key(Json& object, const auto& is_meant) {
  std::vector<std::string> meant;
  for (const auto& [key, value] : object.items()) {
    if (is_meant(key)) meant.push_back(key);
  }
  for (const auto& key : meant) object.erase(key);
}

// "" is as if the key were not there, as Go's net.IP reads it.
Result<std::optional<Address>> read_address(Object& object, std::string_view key) {
  const auto text = object.string(key).value_or("");
  if (text.empty()) return std::nullopt;
  const auto address = parse_go(text);
  if (!address) return refuse("{} {}: invalid IP address", object.path_of(key), text);
  return address;
}

Result<host::IpPrefix> read_subnet(Object& object) {
  const auto text = object.string("subnet");
  if (!text) return refuse("{}: expected a network, like 10.1.0.0/16", object.path_of("subnet"));
  const auto subnet = host::IpPrefix::parse(*text);
  if (!subnet || text->find('/') == std::string::npos) {
    return refuse("{} {}: invalid CIDR address", object.path_of("subnet"), *text);
  }
  if (parse_go(text->substr(0, text->find('/')))->v6 != subnet->v6) {
    return refuse("IPNet IP and Mask version mismatch");
  }
  if (subnet->length + 2 > (subnet->v6 ? 128 : 32)) {
    return refuse("Network {} too small to allocate from", *text);
  }
  if (const auto first = first_of(*subnet); first != Address::of(*subnet)) {
    return refuse(
        "Network has host bits set. For a subnet mask of length {} the network address is {}",
        subnet->length, go_text(first));
  }
  return *subnet;
}

Result<Range> read_range(Object& object) {
  const auto subnet = read_subnet(object);
  if (!subnet) return pass(subnet);
  const auto gateway = read_address(object, "gateway");
  if (!gateway) return pass(gateway);
  const auto start = read_address(object, "rangeStart");
  if (!start) return pass(start);
  const auto end = read_address(object, "rangeEnd");
  if (!end) return pass(end);

  Range range{.subnet = *subnet};
  const auto usual_first = *first_of(*subnet).plus(1);
  range.first = start->value_or(usual_first);
  range.last = last_of(*subnet);
  if (!subnet->v6) range.last.value -= 1;  // the broadcast address
  range.last = end->value_or(range.last);
  range.gateway = gateway->value_or(usual_first);
  const auto network = subnet->to_string();
  if (*start && (!ipam::contains(*subnet, range.first) || range.first > range.last)) {
    return refuse("RangeStart {} not in network {}", go_text(range.first), network);
  }
  if (*end && (!ipam::contains(*subnet, range.last) || range.last < range.first)) {
    return refuse("RangeEnd {} not in network {}", go_text(range.last), network);
  }
  return range;
}

bool overlap(const Range& a, const Range& b) {
  return a.subnet.v6 == b.subnet.v6 && a.first <= b.last && b.first <= a.last;
}

bool overlap(const RangeSet& a, const RangeSet& b) {
  return std::ranges::any_of(a, [&](const Range& one) {
    return std::ranges::any_of(b, [&](const Range& other) { return overlap(one, other); });
  });
}

Result<RangeSet> read_set(const Json& list, const std::string& path, std::vector<Error>& errors) {
  if (!list.is_array()) return refuse("{}: expected an array, got {}", path, go_json::quote(list));
  if (list.empty()) return refuse("empty range set");
  if (list.size() > kMaxRanges) return refuse("{}: expected {} ranges at most", path, kMaxRanges);
  RangeSet set;
  for (size_t i = 0; i < list.size(); ++i) {
    const auto place = fmt::format("{}[{}]", path, i);
    if (!list[i].is_object()) {
      return refuse("{}: expected an object, got {}", place, go_json::quote(list[i]));
    }
    Object object(list[i], place, errors);
    auto range = read_range(object);
    if (!errors.empty()) return refuse("{}", errors.front().message);
    if (!range) return pass(range);
    if (!set.empty() && set.front().subnet.v6 != range->subnet.v6) {
      return refuse("mixed address families");
    }
    for (const auto& other : set) {
      if (!overlap(other, *range)) continue;
      return refuse("subnets {} and {} overlap", other.to_string(), range->to_string());
    }
    set.push_back(std::move(*range));
  }
  return set;
}

Result<void> read_sets(Object& object, std::string_view key, std::vector<RangeSet>& sets,
                       std::vector<Error>& errors) {
  const auto* list = object.value(key);
  if (!list) return {};
  const auto path = object.path_of(key);
  if (!list->is_array())
    return refuse("{}: expected an array, got {}", path, go_json::quote(*list));
  for (size_t i = 0; i < list->size(); ++i) {
    if (sets.size() == kMaxSets)
      return refuse("{}: expected {} range sets at most", path, kMaxSets);
    auto set = read_set((*list)[i], fmt::format("{}[{}]", path, i), errors);
    if (!set) return pass(set, fmt::format("invalid range set {}", sets.size()));
    sets.push_back(std::move(*set));
  }
  return {};
}

// "10.1.0.7" or "10.1.0.7/24".
Result<void> request(HostLocalConf& conf, std::string_view text) {
  const auto address = parse_go(text.substr(0, text.find('/')));
  if (!address || !host::IpPrefix::parse(text)) {
    return refuse("cannot understand ip: {}: expected an address", text);
  }
  if (std::ranges::find(conf.requested, *address) == conf.requested.end()) {
    conf.requested.push_back(*address);
  }
  return {};
}

Result<void> check_sets(const std::vector<RangeSet>& sets, std::string_view version) {
  if (sets.empty()) return refuse("no IP ranges specified");
  const auto v6 = std::ranges::count_if(sets, [](const auto& set) { return set[0].subnet.v6; });
  const bool is_old = version.empty() || version == "0.1.0" || version == "0.2.0";
  if (is_old && (v6 > 1 || static_cast<size_t>(v6) + 1 < sets.size())) {
    return refuse("CNI version {} does not support more than 1 address per family", version);
  }
  for (size_t i = 0; i < sets.size(); ++i) {
    for (size_t j = i + 1; j < sets.size(); ++j) {
      if (overlap(sets[i], sets[j])) return refuse("range set {} overlaps with {}", i, j);
    }
  }
  return {};
}

Result<std::optional<size_t>> rail_of(Object& config, const Json& per_rail) {
  const auto rail = config.integer("rail");
  if (!rail) return refuse("ipam.perRail: expected the key rail beside ipam, a rail's number");
  if (*rail < 0 || static_cast<size_t>(*rail) >= per_rail.size()) {
    return refuse("ipam.perRail: it has {} entries, and none for rail {}", per_rail.size(), *rail);
  }
  return static_cast<size_t>(*rail);
}

}  // namespace

std::string go_text(const Address& address) {
  constexpr unsigned kGroup = 16;  // bits
  constexpr Number kMost = 0xffffffff;
  if (!address.v6 || address.value > kMost || address.value >> kGroup == 0) {
    return address.to_string();
  }
  return fmt::format("::{:x}:{:x}", static_cast<uint32_t>(address.value >> kGroup),
                     static_cast<uint32_t>(address.value & 0xffff));
}

std::optional<Address> parse_go(std::string_view text) {
  auto address = Address::parse(text);
  if (address && address->v6 && address->value >> 32 == 0xffff) {
    return Address{.v6 = false, .value = address->value & 0xffffffff};
  }
  return address;
}

bool Range::contains(const Address& address) const {
  return address.v6 == subnet.v6 && first <= address && address <= last;
}

std::string Range::to_string() const { return fmt::format("{}-{}", go_text(first), go_text(last)); }

const Range* range_of(const RangeSet& set, const Address& address) {
  const auto found =
      std::ranges::find_if(set, [&](const Range& range) { return range.contains(address); });
  return found == set.end() ? nullptr : &*found;
}

std::string to_string(const RangeSet& set) {
  std::vector<std::string> all;
  for (const auto& range : set) all.push_back(range.to_string());
  return join(all, ",");
}

Result<Json> ipam_of(const Json& config) {
  std::vector<Error> errors;
  Object whole(config, "", errors);
  const auto* given = whole.value("ipam");
  if (!given || !given->is_object()) return refuse("IPAM config missing 'ipam' key");
  Object object(*given, "ipam", errors);
  const auto* per_rail = object.value("perRail");
  Json ipam = *given;
  if (!per_rail) return ipam;
  if (!per_rail->is_array()) {
    return refuse("ipam.perRail: expected an array, got {}", go_json::quote(*per_rail));
  }
  const auto rail = rail_of(whole, *per_rail);
  if (!errors.empty()) return refuse("{}", errors.front().message);
  if (!rail) return pass(rail);
  const auto& entry = (*per_rail)[**rail];
  if (!entry.is_object()) {
    return refuse("ipam.perRail[{}]: expected an object, got {}", **rail, go_json::quote(entry));
  }
  bool has_ranges = false;
  for (const auto& [key, value] : entry.items()) {
    has_ranges = has_ranges || is_range_key(key);
    for (const auto* common : {"type", "dataDir", "perRail"}) {
      if (!equal_ignoring_case(key, common)) continue;
      return refuse("ipam.perRail[{}].{}: it stands in ipam itself, once for all rails", **rail,
                    key);
    }
  }
  erase_if_key(ipam, [&](const std::string& key) {
    return equal_ignoring_case(key, "perRail") || (has_ranges && is_range_key(key));
  });
  for (const auto& member : entry.items()) {
    erase_if_key(ipam,
                 [&](const std::string& own) { return equal_ignoring_case(own, member.key()); });
    ipam[member.key()] = member.value();
  }
  return ipam;
}

Result<HostLocalConf> read_host_local(const Json& config, std::string_view asked) {
  const auto ipam = ipam_of(config);
  if (!ipam) return pass(ipam);
  std::vector<Error> errors;
  Object whole(config, "", errors);
  Object object(*ipam, "ipam", errors);
  auto runtime = whole.object("runtimeConfig");
  auto args = whole.object("args");
  auto cni = args ? args->object("cni") : std::nullopt;

  HostLocalConf conf;
  conf.resolv_conf = object.string("resolvConf").value_or("");
  std::vector<std::string> requests;
  if (!asked.empty()) requests.emplace_back(asked);
  for (auto* from : {cni ? &*cni : nullptr, runtime ? &*runtime : nullptr}) {
    if (!from) continue;
    for (auto& one : from->strings("ips").value_or(std::vector<std::string>{})) {
      requests.push_back(std::move(one));
    }
  }
  for (const auto& one : requests) {
    if (auto good = request(conf, one); !good) return pass(good);
  }
  if (runtime) {
    if (auto good = read_sets(*runtime, "ipRanges", conf.sets, errors); !good) return pass(good);
  }
  if (object.value("subnet")) {
    auto range = read_range(object);
    if (!range) return pass(range, fmt::format("invalid range set {}", conf.sets.size()));
    conf.sets.push_back({std::move(*range)});
  }
  if (auto good = read_sets(object, "ranges", conf.sets, errors); !good) return pass(good);
  const auto version = whole.string("cniVersion").value_or("");
  if (!errors.empty()) return refuse("{}", errors.front().message);
  if (auto good = check_sets(conf.sets, version); !good) return pass(good);
  Object own(*whole.value("ipam"), "ipam", errors);
  if (own.value("perRail")) conf.rail = static_cast<size_t>(*whole.integer("rail"));
  return conf;
}

}  // namespace railhead::ipam
