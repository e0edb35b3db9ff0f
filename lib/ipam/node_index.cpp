#include "ipam/node_index.hpp"

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "host/files.hpp"

namespace railhead::ipam {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kIndexSchema = 1;  // the next is read too: unknown fields are ignored

std::string file_in(const std::string& state_root) { return state_root + "/node.json"; }

Result<uint32_t> from_first(const NodeRule& rule, Number place, const std::string& what) {
  if (place < rule.first || place - rule.first > UINT32_MAX) {
    return fail(ErrorCode::invalid_argument, "{}: before the first one, {}, or out of range", what,
                rule.first);
  }
  return static_cast<uint32_t>(place - rule.first);
}

Result<uint32_t> by_cidr(const NodeRule& rule, const NodeFacts& node) {
  std::optional<Address> found;
  for (const auto& address : node.addresses) {
    if (!contains(*rule.cidr, address)) continue;
    if (found && *found != address) {
      return fail(ErrorCode::invalid_argument,
                  "cidr {}: the node has {} and {} in it: expected one", rule.cidr->to_string(),
                  found->to_string(), address.to_string());
    }
    found = address;
  }
  if (!found) {
    return fail(ErrorCode::invalid_argument, "cidr {}: the node has no address in it",
                rule.cidr->to_string());
  }
  return from_first(rule, found->value - first_of(*rule.cidr).value,
                    fmt::format("cidr {}: {}", rule.cidr->to_string(), found->to_string()));
}

Result<uint32_t> by_name(const NodeRule& rule, const NodeFacts& node) {
  const auto star = rule.name.find('*');
  const auto before = std::string_view(rule.name).substr(0, star);
  const auto behind = std::string_view(rule.name).substr(star + 1);
  const std::string_view name = node.name;
  if (name.size() > before.size() + behind.size() && name.starts_with(before) &&
      name.ends_with(behind)) {
    const auto digits = name.substr(before.size(), name.size() - before.size() - behind.size());
    if (const auto number = parse_int<uint32_t>(digits)) {
      return from_first(rule, *number, fmt::format("name {}: {}", rule.name, node.name));
    }
  }
  return fail(ErrorCode::invalid_argument, "name {}: the node {} has no number in place of the *",
              rule.name, node.name);
}

}  // namespace

Result<uint32_t> index_of(const NodeRule& rule, const NodeFacts& node) {
  if (rule.cidr) return by_cidr(rule, node);
  if (!rule.name.empty()) return by_name(rule, node);
  const auto at = rule.list.find(node.name);
  if (at != rule.list.end()) return at->second;
  return fail(ErrorCode::invalid_argument, "list: the node {} is not in it", node.name);
}

Result<NodeIndex> read_node_index(const std::string& state_root) {
  const auto text = host::read_own_file(file_in(state_root));
  if (is(text, ErrorCode::not_found)) {
    return fail(ErrorCode::unavailable,
                "this node's index is not known yet: railhead-agent writes {} by ipamNode of its "
                "configuration",
                file_in(state_root));
  }
  if (!text) return pass(text);
  const auto json = Json::parse(*text, nullptr, false);
  const auto wrong = [&](std::string_view why) {
    return fail(ErrorCode::decode, "{}: {}", file_in(state_root), why);
  };
  if (!json.is_object()) return wrong("expected a JSON object");
  const auto schema = json.find("schema");
  if (schema == json.end() || !schema->is_number_integer() ||
      schema->get<int64_t>() > kIndexSchema + 1) {
    return wrong("schema: this program reads schema 1");
  }
  const auto index = json.find("index");
  if (index == json.end() || !index->is_number_unsigned() || index->get<uint64_t>() > UINT32_MAX) {
    return wrong("index: expected a number");
  }
  NodeIndex read{index->get<uint32_t>(), "", "", ""};
  for (const auto& [key, value] :
       {std::pair("source", &read.source), {"node", &read.node}, {"doubt", &read.doubt}}) {
    const auto at = json.find(key);
    if (at != json.end() && at->is_string()) *value = at->get<std::string>();
  }
  return read;
}

Result<void> write_node_index(const std::string& state_root, const NodeIndex& index) {
  if (auto made = host::make_directories(state_root, 0700); !made) return made;
  Json json = {{"schema", kIndexSchema},
               {"index", index.index},
               {"source", index.source},
               {"node", index.node}};
  if (!index.doubt.empty()) json["doubt"] = index.doubt;
  return host::replace_durable_file(file_in(state_root), state_root + "/.node.json",
                                    json.dump() + "\n", 0600);
}

}  // namespace railhead::ipam
