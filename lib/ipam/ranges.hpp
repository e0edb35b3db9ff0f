#pragma once
// The ranges that a configuration of type `host-local` gives addresses of, as upstream's plugin of
// that name reads them.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.hpp"
#include "ipam/address.hpp"

namespace railhead::ipam {

// As Go's net.IP prints it, which is how upstream's plugin names its files: the same as
// Address::to_string() but for ::a:b, which C prints as ::0.10.0.11.
std::string go_text(const Address& address);
// As Go's net.ParseIP, and what follows it there: "::ffff:10.0.0.1" is an IPv4 address.
std::optional<Address> parse_go(std::string_view text);

struct Range {
  host::IpPrefix subnet;
  Address first;  // both are given too, but for the gateway
  Address last;
  Address gateway;  // may lie outside of the subnet

  [[nodiscard]] bool contains(const Address& address) const;
  [[nodiscard]] std::string to_string() const;  // "10.1.0.1-10.1.0.254"
  friend bool operator==(const Range&, const Range&) = default;
};

// Ranges of one family, none of which overlaps another; an interface gets one address of each set.
using RangeSet = std::vector<Range>;
const Range* range_of(const RangeSet& set, const Address& address);  // null: in none of them
std::string to_string(const RangeSet& set);

struct HostLocalConf {
  std::string resolv_conf;         // a path; "": no DNS
  std::vector<RangeSet> sets;      // one at least
  std::vector<Address> requested;  // each once
  // The index of the interface's rail where the configuration has `perRail`.
  std::optional<size_t> rail;
  friend bool operator==(const HostLocalConf&, const HostLocalConf&) = default;
};

// `ipam` of a whole configuration, with the keys of `perRail`'s entry for the configuration's
// `rail` in place of its own. Errors (invalid_argument): neither is an object, `rail` is missing,
// or there is no entry for it.
Result<nlohmann::ordered_json> ipam_of(const nlohmann::ordered_json& config);

// What ADD needs to know of a whole configuration: `ipam`, `runtimeConfig.ipRanges` and `.ips`,
// `args.cni.ips`; `asked` is IP of CNI_ARGS, "" where it has none. Errors (invalid_argument) are in
// upstream's words where it has some.
Result<HostLocalConf> read_host_local(const nlohmann::ordered_json& config, std::string_view asked);

}  // namespace railhead::ipam
