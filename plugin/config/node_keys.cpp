#include "plugin/config/node_keys.hpp"

#include <limits>
#include <set>

#include <nlohmann/json.hpp>

namespace railhead::config {
namespace {

constexpr uint32_t kMostNodes = std::numeric_limits<int32_t>::max();

std::optional<host::IpPrefix> read_cidr(Object& node) {
  const auto text = node.string("cidr");
  if (!text) return std::nullopt;
  const auto prefix = host::IpPrefix::parse(*text);
  if (prefix && text->find('/') != std::string::npos && *prefix == prefix->network()) return prefix;
  node.error("cidr", fmt::format("\"{}\": expected a network, as 192.168.0.0/22", *text));
  return std::nullopt;
}

std::string read_name(Object& node) {
  auto text = node.string("name").value_or("");
  const bool has_one_star =
      text.find('*') != std::string::npos && text.find('*') == text.rfind('*');
  if (text.empty() || has_one_star) return text;
  node.error("name",
             fmt::format("\"{}\": expected a name with one * in place of the number", text));
  return "";
}

// By name its index, or names, by their places.
std::map<std::string, uint32_t> read_list(Object& node, Draft& draft) {
  std::map<std::string, uint32_t> list;
  const auto* json = node.value("list");
  if (!json) return list;
  if (json->is_array()) {
    for (const auto& name : node.strings("list").value_or(std::vector<std::string>{})) {
      const auto index = static_cast<uint32_t>(list.size());
      if (!list.emplace(name, index).second) {
        node.error("list", fmt::format("\"{}\": is there twice", name));
      }
    }
    return list;
  }
  auto items = node.object("list");
  if (!items) return list;
  std::map<uint32_t, std::string> owners;
  for (const auto& item : json->items()) {
    const auto index = draft.number(*items, item.key().c_str(), 0, kMostNodes);
    if (!index) continue;
    list[item.key()] = *index;
    const auto [at, is_new] = owners.emplace(*index, item.key());
    if (!is_new) {
      node.error("list", fmt::format("{} and {} have the index {}: each block once", at->second,
                                     item.key(), *index));
    }
  }
  return list;
}

}  // namespace

std::vector<std::vector<PciAddress>> read_rail_map(const Json& json, Draft& draft) {
  std::vector<std::vector<PciAddress>> rails;
  if (!json.is_array() || json.empty() || json.size() > kMaxRails) {
    draft.error("railMap", go_json::quote(json),
                fmt::format("expected a list of 1 to {} rails", kMaxRails));
    return rails;
  }
  std::set<PciAddress> all;
  for (size_t rail = 0; rail < json.size(); ++rail) {
    const auto place = fmt::format("railMap[{}]", rail);
    const auto ports = json[rail].is_array() ? json[rail] : Json::array({json[rail]});
    auto& list = rails.emplace_back();
    if (ports.empty()) draft.error(place, "is empty; expected the rail's PCI addresses");
    for (const auto& item : ports) {
      const auto port =
          item.is_string() ? PciAddress::parse(item.get<std::string>()) : std::nullopt;
      if (!port) {
        draft.error(place, go_json::quote(item), "expected a PF's PCI address, as 0000:3b:00.0");
      } else if (!all.insert(*port).second) {
        draft.error(place, port->to_string(), "is there already; each port once");
      } else {
        list.push_back(*port);
      }
    }
  }
  return rails;
}

ipam::NodeRule read_ipam_node(Object& node, Draft& draft) {
  ipam::NodeRule rule;
  rule.cidr = read_cidr(node);
  rule.name = read_name(node);
  rule.list = read_list(node, draft);
  rule.first = draft.number(node, "first", 0, kMostNodes).value_or(0);
  const int ways =
      (node.value("cidr") ? 1 : 0) + (node.value("name") ? 1 : 0) + (node.value("list") ? 1 : 0);
  if (ways != 1) {
    draft.error("ipamNode",
                "expected one of cidr, name and list, by which a node's index is known");
  }
  for (const auto& key : node.unknown_keys()) draft.error(key.path, "unknown key");
  return rule;
}

}  // namespace railhead::config
