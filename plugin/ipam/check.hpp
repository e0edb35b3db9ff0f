#pragma once
// `railhead-agent ipam check`: that no two nodes or rails have an address in common, and what each
// has. Texts in, text out.
#include <span>
#include <string>
#include <vector>

#include "ipam/node_index.hpp"
#include "ipam/rails_conf.hpp"
#include "plugin/ipam/documents.hpp"

namespace railhead::ipam_tools {

struct NamedConf {
  std::string name;  // "nets.yaml: ml/rails"
  ipam::RailsConf conf;
};

// Each object `{"type": "rails"}` of a file's text: by itself, under `ipam` of a network's
// configuration, of one of its `plugins`, or in a NetworkAttachmentDefinition's spec.config.
// Errors: decode, invalid_argument (one is wrong).
[[nodiscard]] Result<std::vector<NamedConf>> rails_confs(const std::string& file,
                                                         std::string_view text);

struct CheckedNode {
  std::string name;
  uint32_t index = 0;
};

// Those of a list, and those of `facts` by whatever rule. Errors: invalid_argument (a node that the
// rule does not fit, two with one index, none at all).
[[nodiscard]] Result<std::vector<CheckedNode>> checked_nodes(
    const ipam::NodeRule& rule, std::span<const ipam::NodeFacts> facts);
// "NAME", "NAME=ADDRESS" or "NAME=ADDRESS,ADDRESS".
[[nodiscard]] Result<ipam::NodeFacts> node_facts(std::string_view text);

// What is printed. Errors: invalid_argument, with both places that have an address in common, or
// the node whose index has no block.
[[nodiscard]] Result<std::string> check(std::span<const NamedConf> confs,
                                        std::span<const CheckedNode> nodes);

// How many pods with an interface on each rail a node has room for, all at one offset.
[[nodiscard]] Result<uint64_t> pods_of(const ipam::RailsConf& conf, uint32_t node);

}  // namespace railhead::ipam_tools
