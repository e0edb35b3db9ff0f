#include "plugin/ipam/node_rule.hpp"

#include "base/go_json.hpp"
#include "base/text.hpp"

namespace railhead::ipam_tools {
namespace {

Result<std::map<std::string, uint32_t>> read_list(const Json& list) {
  if (!list.is_object() || list.empty()) {
    return fail(ErrorCode::invalid_argument, "list: expected node names with their indexes, got {}",
                go_json::quote(list));
  }
  std::map<std::string, uint32_t> indexes;
  std::map<uint32_t, std::string> nodes;
  for (const auto& [name, value] : list.items()) {
    const auto index = number_of(value);
    if (!index) {
      return fail(ErrorCode::invalid_argument, "list.{}: expected an index from 0 up, got {}", name,
                  go_json::quote(value));
    }
    const auto [other, is_new] = nodes.emplace(*index, name);
    if (!is_new) {
      return fail(ErrorCode::invalid_argument,
                  "list: {} and {} both have index {}: expected a block for each", other->second,
                  name, *index);
    }
    if (!indexes.emplace(name, *index).second) {
      return fail(ErrorCode::invalid_argument, "list.{}: stands there twice", name);
    }
  }
  return indexes;
}

Result<void> check_name(const std::string& glob) {
  const auto star = glob.find('*');
  if (star != std::string::npos && glob.find('*', star + 1) == std::string::npos) return {};
  return fail(ErrorCode::invalid_argument,
              "name: expected one * in place of the number, as gpu-*, got \"{}\"", glob);
}

}  // namespace

Result<ipam::NodeRule> node_rule(const Json& json) {
  if (!json.is_object()) {
    return fail(ErrorCode::invalid_argument, "expected an object with cidr, name or list, got {}",
                go_json::quote(json));
  }
  for (const auto& [key, value] : json.items()) {
    if (key != "cidr" && key != "name" && key != "list" && key != "first") {
      return fail(ErrorCode::invalid_argument, "{}: no such key; expected cidr, name or list", key);
    }
  }
  if (json.contains("cidr") + json.contains("name") + json.contains("list") != 1) {
    return fail(ErrorCode::invalid_argument, "expected one of cidr, name and list");
  }
  ipam::NodeRule rule;
  if (json.contains("list")) {
    auto list = read_list(json["list"]);
    if (!list) return pass(list);
    rule.list = std::move(*list);
  } else if (json.contains("cidr")) {
    rule.cidr = host::IpPrefix::parse(text_of(json["cidr"]));
    if (!rule.cidr || rule.cidr->network() != *rule.cidr) {
      return fail(ErrorCode::invalid_argument, "cidr: expected a network without host bits, got {}",
                  go_json::quote(json["cidr"]));
    }
  } else {
    rule.name = text_of(json["name"]);
    if (auto checked = check_name(rule.name); !checked) return pass(checked);
  }
  if (!json.contains("first")) return rule;
  const auto first = number_of(json["first"]);
  if (!first || json.contains("list")) {
    return fail(ErrorCode::invalid_argument,
                "first: expected a number from 0 up, beside cidr or name, got {}",
                go_json::quote(json["first"]));
  }
  rule.first = *first;
  return rule;
}

}  // namespace railhead::ipam_tools
