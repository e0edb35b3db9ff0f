#pragma once
// Which block of a rail's addresses is this node's. The agent works it out and writes it down; an
// ADD reads only that, with the agent down and after a boot too.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ipam/address.hpp"

namespace railhead::ipam {

// How a node's index is known, by one of these.
struct NodeRule {
  std::optional<host::IpPrefix> cidr;  // the node's own address in it: its place there
  std::string name;                    // "gpu-*-rack": the number that its name has in place of *
  std::map<std::string, uint32_t> list = {};  // by the node's name
  uint32_t first = 0;  // of cidr and name: the place, or the number, that has index 0
  friend bool operator==(const NodeRule&, const NodeRule&) = default;
};

struct NodeFacts {
  std::string name;
  std::vector<Address> addresses;  // of its interfaces, global ones
};

// Errors (invalid_argument): the rule does not fit this node, or fits it twice. Nothing is guessed.
[[nodiscard]] Result<uint32_t> index_of(const NodeRule& rule, const NodeFacts& node);

struct NodeIndex {
  uint32_t index = 0;
  std::string source;  // "name gpu-*", for people
  std::string node;    // its name
  // Why it is no longer right: no address is given by it. "": it is.
  std::string doubt = {};
  friend bool operator==(const NodeIndex&, const NodeIndex&) = default;
};

// <state_root>/node.json. unavailable: there is none; decode: it cannot be read, the message names
// it.
[[nodiscard]] Result<NodeIndex> read_node_index(const std::string& state_root);
// Outlives a power cut; 0600, in a folder 0700.
[[nodiscard]] Result<void> write_node_index(const std::string& state_root, const NodeIndex& index);

}  // namespace railhead::ipam
