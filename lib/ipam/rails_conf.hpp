#pragma once
// The object `ipam: {type: rails}`: one for the cluster, from which each node knows its own blocks
// of each rail's addresses (docs/ipam.md).
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "ipam/address.hpp"

namespace railhead::ipam {

enum class Mode {
  per_rail,           // a subnet for each rail, in it a block for each node
  per_node_and_rail,  // the node's block of a rail is a subnet of its own
  flat,               // one subnet for all rails, in it a block for each node
};

// Of one family.
struct Space {
  std::vector<host::IpPrefix> subnets;  // by rail; flat: one
  unsigned node_prefix = 0;             // the length of a node's block
  // The gateway's place in the subnet of an address: 0 is the network's own number.
  std::optional<Number> gateway;
  friend bool operator==(const Space&, const Space&) = default;
};

struct Exclusion {
  Address first;
  Address last;
  friend bool operator==(const Exclusion&, const Exclusion&) = default;
};

struct GivenRoute {
  host::IpPrefix destination;
  std::optional<Address> gateway = {};  // absent: that of the address
  std::optional<uint32_t> mtu = {};     // bytes
  friend bool operator==(const GivenRoute&, const GivenRoute&) = default;
};

struct RailsConf {
  Mode mode = Mode::per_rail;
  uint32_t rails = 0;  // how many
  std::optional<Space> v4;
  std::optional<Space> v6;
  std::vector<Exclusion> excluded;  // in order, and apart
  std::optional<std::vector<GivenRoute>> routes;
  bool may_differ = false;  // sameOffset: prefer
  friend bool operator==(const RailsConf&, const RailsConf&) = default;
};

constexpr uint32_t kMaxRails = 64;
constexpr size_t kMaxExclusions = 4096;
constexpr size_t kMaxRoutes = 1024;
constexpr unsigned kMaxBlockBits = 16;  // of a node's block: 65 536 addresses

// `ipam`: the object under that key. Errors (invalid_argument) name the key, the value and what was
// expected.
[[nodiscard]] Result<RailsConf> read_rails_conf(const nlohmann::ordered_json& ipam);

// Of one node's addresses of one rail.
struct Block {
  host::IpPrefix block;   // where the node's addresses are
  host::IpPrefix subnet;  // whose prefix length an address has
  std::optional<Address> gateway;
  friend bool operator==(const Block&, const Block&) = default;
};

// How many nodes there can be. At least 1.
[[nodiscard]] Number node_count(const RailsConf& conf);
// `rail` is below conf.rails; invalid_argument: the node's index is out of range.
[[nodiscard]] Result<Block> block_of(const RailsConf& conf, const Space& space, uint32_t node,
                                     uint32_t rail);
// Whether a pod can have it: it is no network's or broadcast's number, not the gateway, and not
// excluded.
[[nodiscard]] bool is_usable(const RailsConf& conf, const Block& block, const Address& address);

}  // namespace railhead::ipam
