#include "plugin/ipam/check.hpp"

#include <algorithm>
#include <map>

#include "base/go_json.hpp"
#include "base/text.hpp"

namespace railhead::ipam_tools {
namespace {

using ipam::Address;
using ipam::first_of;
using ipam::last_of;
using ipam::Mode;
using ipam::Number;
using ipam::RailsConf;
using ipam::size_of;

// Of a configuration, as an ADD reads it: in whatever case the key is written.
const Json& key_of(const Json& object, std::string_view key) {
  static const Json none;
  if (!object.is_object()) return none;
  std::vector<Error> errors;
  const auto* value = go_json::Object(object, "", errors).value(key);
  return value ? *value : none;
}

bool is_rails(const Json& ipam) { return text_of(key_of(ipam, "type")) == "rails"; }

// The objects for rails in a network's configuration, or the one that it is.
std::vector<Json> ipam_objects(const Json& conf) {
  std::vector<Json> all;
  if (is_rails(conf)) all.push_back(conf);
  if (const auto& ipam = key_of(conf, "ipam"); is_rails(ipam)) all.push_back(ipam);
  for (const auto& plugin : key_of(conf, "plugins")) {
    if (const auto& ipam = key_of(plugin, "ipam"); is_rails(ipam)) all.push_back(ipam);
  }
  return all;
}

std::string name_of(const Json& object) {
  const auto& metadata = member(object, "metadata");
  const auto name = text_of(member(metadata, "name"));
  const auto space = text_of(member(metadata, "namespace"));
  return space.empty() ? name : fmt::format("{}/{}", space, name);
}

// A manifest's configuration, which is a text of JSON; of another document itself.
Result<Json> conf_in(const Json& document) {
  const auto& config = member(member(document, "spec"), "config");
  if (config.is_null()) return document;
  return go_json::parse(text_of(config));
}

struct Stretch {
  Address first;
  Address last;
  std::string whose;
};

std::vector<const ipam::Space*> spaces_of(const RailsConf& conf) {
  std::vector<const ipam::Space*> spaces;
  for (const auto* space : {&conf.v4, &conf.v6}) {
    if (*space) spaces.push_back(&**space);
  }
  return spaces;
}

Result<void> add_stretches(std::vector<Stretch>& all, const NamedConf& named,
                           const CheckedNode& node) {
  // In mode flat the rails of a node share its block; runs in it cannot overlap.
  const auto rails = named.conf.mode == Mode::flat ? 1 : named.conf.rails;
  for (const auto* space : spaces_of(named.conf)) {
    for (uint32_t rail = 0; rail < rails; ++rail) {
      const auto block = ipam::block_of(named.conf, *space, node.index, rail);
      if (!block) return pass(block, fmt::format("{}: node {}", named.name, node.name));
      all.push_back({first_of(block->block), last_of(block->block),
                     fmt::format("{}, rail {} of {} ({})", named.name, rail, node.name,
                                 block->block.to_string())});
    }
  }
  return {};
}

Result<void> check_apart(std::vector<Stretch> all) {
  std::ranges::sort(all, {}, &Stretch::first);
  // The one that reaches farthest so far, as a large block may hold several small ones.
  const Stretch* farthest = nullptr;
  for (const auto& one : all) {
    if (farthest && farthest->first.v6 == one.first.v6 && one.first <= farthest->last) {
      return fail(ErrorCode::invalid_argument, "addresses overlap: {} and {}", farthest->whose,
                  one.whose);
    }
    if (!farthest || farthest->last < one.last) farthest = &one;
  }
  return {};
}

std::string mode_name(Mode mode) {
  if (mode == Mode::per_rail) return "perRail";
  return mode == Mode::flat ? "flat" : "perNodeAndRail";
}

Result<std::string> describe(const NamedConf& named, const CheckedNode& node) {
  const auto pods = pods_of(named.conf, node.index);
  if (!pods) return pass(pods);
  auto text = fmt::format("  {}: index {}, {} pod{}\n", node.name, node.index, *pods,
                          *pods == 1 ? "" : "s");
  for (uint32_t rail = 0; rail < named.conf.rails; ++rail) {
    std::vector<std::string> parts;
    for (const auto* space : spaces_of(named.conf)) {
      const auto block = ipam::block_of(named.conf, *space, node.index, rail);
      if (!block) return pass(block);
      auto part = fmt::format("{} to {}", first_of(block->block).to_string(),
                              last_of(block->block).with_length(block->subnet.length).to_string());
      if (block->gateway) part += ", gateway " + block->gateway->to_string();
      parts.push_back(std::move(part));
    }
    text += fmt::format("    rail {}: {}\n", rail, join(parts, "; "));
  }
  return text;
}

}  // namespace

Result<std::vector<NamedConf>> rails_confs(const std::string& file, std::string_view text) {
  const auto all = documents(text);
  if (!all) return pass(all, file);
  std::vector<NamedConf> confs;
  for (const auto& document : *all) {
    const auto name = name_of(document);
    const auto where = name.empty() ? file : fmt::format("{}: {}", file, name);
    const auto conf = conf_in(document);
    if (!conf) return pass(conf, where + ": spec.config");
    for (const auto& object : ipam_objects(*conf)) {
      auto read = ipam::read_rails_conf(object);
      if (!read) return pass(read, where);
      confs.push_back({where, std::move(*read)});
    }
  }
  return confs;
}

Result<ipam::NodeFacts> node_facts(std::string_view text) {
  const auto equals = text.find('=');
  ipam::NodeFacts facts{std::string(text.substr(0, equals)), {}};
  if (facts.name.empty()) {
    return fail(ErrorCode::invalid_argument, "expected NAME or NAME=ADDRESS, got \"{}\"", text);
  }
  if (equals == std::string_view::npos) return facts;
  for (const auto part : split(text.substr(equals + 1), ',')) {
    const auto address = Address::parse(part);
    if (!address) {
      return fail(ErrorCode::invalid_argument, "{}: expected an address, got \"{}\"", facts.name,
                  part);
    }
    facts.addresses.push_back(*address);
  }
  return facts;
}

Result<std::vector<CheckedNode>> checked_nodes(const ipam::NodeRule& rule,
                                               std::span<const ipam::NodeFacts> facts) {
  std::map<std::string, uint32_t> indexes = rule.list;
  for (const auto& node : facts) {
    const auto index = ipam::index_of(rule, node);
    if (!index) return pass(index, "node " + node.name);
    indexes[node.name] = *index;
  }
  std::vector<CheckedNode> nodes;
  std::map<uint32_t, std::string> names;
  for (const auto& [name, index] : indexes) {
    const auto [other, is_new] = names.emplace(index, name);
    if (!is_new) {
      return fail(ErrorCode::invalid_argument, "{} and {} both have index {}", other->second, name,
                  index);
    }
    nodes.push_back({name, index});
  }
  if (nodes.empty()) {
    return fail(ErrorCode::invalid_argument,
                "no nodes to check: expected a list, or --node NAME=ADDRESS");
  }
  std::ranges::sort(nodes, {}, &CheckedNode::index);
  return nodes;
}

Result<uint64_t> pods_of(const RailsConf& conf, uint32_t node) {
  std::vector<std::pair<uint32_t, ipam::Block>> blocks;
  Number places = Number{1} << ipam::kMaxBlockBits;
  const Number stride = conf.mode == Mode::flat ? conf.rails : 1;
  for (const auto* space : spaces_of(conf)) {
    for (uint32_t rail = 0; rail < conf.rails; ++rail) {
      const auto block = ipam::block_of(conf, *space, node, rail);
      if (!block) return pass(block);
      places = std::min(places, size_of(block->block) / stride);
      blocks.emplace_back(conf.mode == Mode::flat ? rail : 0, *block);
    }
  }
  uint64_t pods = 0;
  for (Number place = 0; place < places; ++place) {
    pods += std::ranges::all_of(blocks, [&](const auto& of_rail) {
      const auto& [shift, block] = of_rail;
      const auto address = first_of(block.block).plus(place * stride + shift);
      return address && ipam::is_usable(conf, block, *address);
    });
  }
  return pods;
}

Result<std::string> check(std::span<const NamedConf> confs, std::span<const CheckedNode> nodes) {
  std::vector<NamedConf> different;
  for (const auto& one : confs) {
    // One object stands in as many networks as there are rails.
    const bool is_known =
        std::ranges::any_of(different, [&](const auto& other) { return other.conf == one.conf; });
    if (!is_known) different.push_back(one);
  }
  std::vector<Stretch> stretches;
  for (const auto& one : different) {
    for (const auto& node : nodes) {
      if (auto added = add_stretches(stretches, one, node); !added) return pass(added);
    }
  }
  if (auto apart = check_apart(std::move(stretches)); !apart) return pass(apart);
  std::string text;
  for (const auto& one : different) {
    text += fmt::format("{}: {}, {} rail{}, {} node{}\n", one.name, mode_name(one.conf.mode),
                        one.conf.rails, one.conf.rails == 1 ? "" : "s", nodes.size(),
                        nodes.size() == 1 ? "" : "s");
    for (const auto& node : nodes) {
      const auto described = describe(one, node);
      if (!described) return pass(described, one.name);
      text += *described;
    }
  }
  return text + "nothing overlaps\n";
}

}  // namespace railhead::ipam_tools
