#include "cnispec/plugin_result.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "cnispec/json_text.hpp"
#include "cnispec/version.hpp"

namespace railhead::cnispec {

using Json = nlohmann::ordered_json;

namespace {

void put(Json& json, const char* key, const std::string& value) {
  if (!value.empty()) json[key] = value;
}

void put(Json& json, const char* key, const std::optional<uint32_t>& value) {
  if (value) json[key] = *value;
}

void put(Json& json, const char* key, const std::vector<std::string>& values) {
  if (!values.empty()) json[key] = values;
}

Json dns_json(const Dns& dns) {
  Json json = Json::object();
  put(json, "nameservers", dns.nameservers);
  put(json, "domain", dns.domain);
  put(json, "search", dns.search);
  put(json, "options", dns.options);
  return json;
}

Json route_json(const Route& route, bool since_1_1) {
  Json json = {{"dst", route.dst}};
  put(json, "gw", route.gw);
  if (since_1_1) {
    put(json, "mtu", route.mtu);
    put(json, "advmss", route.advmss);
    put(json, "priority", route.priority);
    put(json, "table", route.table);
    put(json, "scope", route.scope);
  }
  return json;
}

// 0.1.0 and 0.2.0: one address of each family with the routes of that family.
void put_family(Json& json, const char* key, const PluginResult& result, bool v6) {
  for (const auto& ip : result.ips) {
    if (ip.v6() != v6) continue;
    Json family = {{"ip", ip.address}};
    put(family, "gateway", ip.gateway);
    for (const auto& route : result.routes) {
      if (route.v6() == v6) family["routes"].push_back(route_json(route, false));
    }
    json[key] = std::move(family);
    return;
  }
}

Json interface_json(const Interface& interface, bool since_1_1) {
  Json json = {{"name", interface.name}};
  put(json, "mac", interface.mac);
  // Of CNI 1.1; sriov-cni says it in every version, and Multus copies it to the pod.
  put(json, "mtu", interface.mtu);
  put(json, "sandbox", interface.sandbox);
  if (since_1_1) {
    put(json, "socketPath", interface.socket_path);
    put(json, "pciID", interface.pci_id);
  }
  return json;
}

Json ip_json(const Ip& ip, bool before_1_0) {
  Json json = Json::object();
  if (before_1_0) json["version"] = ip.v6() ? "6" : "4";
  put(json, "interface", ip.interface);
  json["address"] = ip.address;
  put(json, "gateway", ip.gateway);
  return json;
}

std::optional<uint32_t> number(go_json::Object& object, std::string_view key) {
  const auto value = object.integer(key);
  if (!value) return std::nullopt;
  if (*value >= 0 && *value <= UINT32_MAX) return static_cast<uint32_t>(*value);
  object.error(key, fmt::format("expected a number from 0 to {}, got {}", UINT32_MAX, *value));
  return std::nullopt;
}

// Calls `read` with each object of the list below `key`.
template <class Read>
void for_each(go_json::Object& parent, std::string_view key, std::vector<Error>& errors,
              Read read) {
  const Json* list = parent.value(key);
  if (!list) return;
  if (!list->is_array()) {
    parent.error(key, fmt::format("expected a list, got {}", list->type_name()));
    return;
  }
  for (size_t i = 0; i < list->size(); ++i) {
    const auto name = fmt::format("{}[{}]", key, i);
    if ((*list)[i].is_object()) {
      go_json::Object object((*list)[i], parent.path_of(name), errors);
      read(object);
    } else if (!(*list)[i].is_null()) {
      parent.error(name, fmt::format("expected an object, got {}", (*list)[i].type_name()));
    }
  }
}

Interface read_interface(go_json::Object& object) {
  return Interface{object.string("name").value_or(""),
                   object.string("mac").value_or(""),
                   number(object, "mtu"),
                   object.string("sandbox").value_or(""),
                   object.string("socketPath").value_or(""),
                   object.string("pciID").value_or("")};
}

Route read_route(go_json::Object& object) {
  return Route{object.string("dst").value_or(""),
               object.string("gw").value_or(""),
               number(object, "mtu"),
               number(object, "advmss"),
               number(object, "priority"),
               number(object, "table"),
               number(object, "scope")};
}

// An interface index below zero is how some plugins say "none".
std::optional<uint32_t> interface_index(go_json::Object& object) {
  const auto index = object.integer("interface");
  if (!index || *index < 0 || *index > UINT32_MAX) return std::nullopt;
  return static_cast<uint32_t>(*index);
}

void read_family(go_json::Object& result, std::string_view key, std::vector<Error>& errors,
                 PluginResult& into) {
  auto family = result.object(key);
  if (!family) return;
  into.ips.push_back(
      Ip{{}, family->string("ip").value_or(""), family->string("gateway").value_or("")});
  for_each(*family, "routes", errors,
           [&](go_json::Object& route) { into.routes.push_back(read_route(route)); });
}

}  // namespace

std::string to_json(const PluginResult& result, std::string_view version) {
  const auto parsed = Version::parse(version).value_or(Version{});
  Json json = {{"cniVersion", version}};
  if (parsed < Version{0, 3, 0}) {
    put_family(json, "ip4", result, false);
    put_family(json, "ip6", result, true);
  } else {
    const bool since_1_1 = parsed >= Version{1, 1, 0};
    const bool before_1_0 = parsed < Version{1, 0, 0};
    for (const auto& interface : result.interfaces) {
      json["interfaces"].push_back(interface_json(interface, since_1_1));
    }
    for (const auto& ip : result.ips) json["ips"].push_back(ip_json(ip, before_1_0));
    for (const auto& route : result.routes) {
      json["routes"].push_back(route_json(route, since_1_1));
    }
  }
  json["dns"] = dns_json(result.dns);
  return json_text(json);
}

Result<PluginResult> read_result(const Json& json) {
  PluginResult result;
  if (json.is_null()) return result;
  if (!json.is_object()) {
    return fail(ErrorCode::decode, "expected an object, got {}", json.type_name());
  }
  std::vector<Error> errors;
  go_json::Object object(json, "", errors);
  const auto version = object.string("cniVersion").value_or("");
  if (!version.empty() && !is_supported(version)) {
    return fail(ErrorCode::decode, "unsupported CNI result version \"{}\"", version);
  }
  for_each(object, "interfaces", errors, [&](go_json::Object& interface) {
    result.interfaces.push_back(read_interface(interface));
  });
  for_each(object, "ips", errors, [&](go_json::Object& ip) {
    result.ips.push_back(Ip{interface_index(ip), ip.string("address").value_or(""),
                            ip.string("gateway").value_or("")});
  });
  for_each(object, "routes", errors,
           [&](go_json::Object& route) { result.routes.push_back(read_route(route)); });
  read_family(object, "ip4", errors, result);
  read_family(object, "ip6", errors, result);
  result.dns = read_dns(object.value("dns"), errors);
  if (!errors.empty()) return fail(ErrorCode::decode, "{}", errors.front().message);
  return result;
}

Result<PluginResult> parse_result(std::string_view text) {
  const auto json = go_json::parse(text);
  if (!json) return pass(json);
  return read_result(*json);
}

Dns read_dns(const Json* dns, std::vector<Error>& errors) {
  if (!dns) return {};
  if (!dns->is_object()) {
    errors.push_back(Error{ErrorCode::decode, 0,
                           fmt::format("dns: expected an object, got {}", dns->type_name())});
    return {};
  }
  go_json::Object object(*dns, "dns", errors);
  return Dns{object.strings("nameservers").value_or(std::vector<std::string>{}),
             object.string("domain").value_or(""),
             object.strings("search").value_or(std::vector<std::string>{}),
             object.strings("options").value_or(std::vector<std::string>{})};
}

}  // namespace railhead::cnispec
