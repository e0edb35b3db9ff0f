#include "cni/meta/selection.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/guid.hpp"
#include "base/hw_address.hpp"
#include "base/raw_json.hpp"
#include "base/text.hpp"
#include "cni/conf.hpp"
#include "host/links.hpp"

namespace railhead::cni {

using go_json::Object;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::string_view kWho = "parsePodNetworkObjectName";
constexpr size_t kMaxInterfaceName = 15;            // IFNAMSIZ (linux/if.h) without its zero
constexpr size_t kMaxName = 253;                    // of an object, RFC 1123
constexpr size_t kLongestArgs = size_t{16} << 10U;  // bytes
constexpr size_t kMaxNetworks = 256;                // of a pod; a node has no more NICs to give

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$, with dots where `other` has one.
bool is_object_name(std::string_view name, std::string_view other) {
  if (name.empty() || name.size() > kMaxName || !is_alphanumeric(name.front()) ||
      !is_alphanumeric(name.back())) {
    return false;
  }
  return std::ranges::all_of(
      name, [&](char c) { return is_alphanumeric(c) || other.find(c) != std::string_view::npos; });
}

Result<void> check_interface(std::string_view name) {
  // '%' makes the kernel choose a number; "all" and "default" are the sysctls' of all interfaces.
  constexpr std::array<std::string_view, 5> kTaken = {".", "..", "lo", "all", "default"};
  const auto is_bad = [](char c) {
    return (c >= 0 && c <= ' ') || c == 0x7f || c == '/' || c == ':' || c == '%';
  };
  const bool good = name.size() <= kMaxInterfaceName && std::ranges::none_of(name, is_bad) &&
                    std::ranges::find(kTaken, name) == kTaken.end() && valid_utf8(name) == name;
  if (good) return {};
  return refuse(
      "{}: Failed to parse interface name: must be less than 15 chars and not contain '/' or "
      "spaces. interface name '{}'",
      kWho, name);
}

Result<void> check_ips(const std::vector<std::string>& ips) {
  for (const auto& ip : ips) {
    if (host::IpPrefix::parse(ip)) continue;
    const bool has_prefix = ip.find('/') != std::string::npos;
    return refuse("failed to parse {} {}", has_prefix ? "CIDR" : "IP address", go_quoted(ip));
  }
  return {};
}

Result<void> check_values(const Selection& one) {
  if (auto good = check_ips(one.ips); !good) return good;
  if (!one.mac.empty() && !HwAddress::parse(one.mac)) {
    return refuse("failed to mac: address {}: invalid MAC address", one.mac);
  }
  if (!one.infiniband_guid.empty() && !Guid::parse(one.infiniband_guid)) {
    return refuse("failed to validate infiniband GUID: {}", one.infiniband_guid);
  }
  if (one.rail && *one.rail < 0) return refuse("rail {}: expected the number of a rail", *one.rail);
  for (const auto& gateway : one.gateways.value_or(std::vector<std::string>{})) {
    if (gateway.find('/') != std::string::npos || !host::IpPrefix::parse(gateway)) {
      return refuse("default-route: expected addresses of gateways, got {}", go_quoted(gateway));
    }
  }
  return {};
}

// The text of a member that is no null.
std::string raw(const RawObject& object, std::string_view key) {
  const auto text = object.get(key).value_or("null");
  return text == "null" ? "" : std::string(text);
}

Result<Selection> read_entry(const Json& json, std::string_view text, std::string_view namespace_) {
  std::vector<Error> errors;
  Object object(json, "", errors);
  const auto members = RawObject::parse(text);
  if (!members) return pass(members);
  Selection one;
  one.name = object.string("name").value_or("");
  one.namespace_ = object.string("namespace").value_or("");
  if (one.namespace_.empty()) one.namespace_ = namespace_;
  one.ifname = object.string("interface").value_or("");
  if (one.ifname.empty()) one.ifname = object.string("interfaceRequest").value_or("");
  one.ips = object.strings("ips").value_or(std::vector<std::string>{});
  one.mac = object.string("mac").value_or("");
  one.infiniband_guid = object.string("infiniband-guid").value_or("");
  one.gateways = object.strings("default-route");
  one.device = object.string("deviceID").value_or("");
  one.container = object.string("container").value_or("");
  one.rail = object.integer("rail");
  for (auto [key, value] :
       {std::pair{"portMappings", &one.port_mappings}, std::pair{"bandwidth", &one.bandwidth}}) {
    if (object.value(key)) *value = raw(*members, key);
  }
  if (object.object("cni-args")) {
    const auto text = raw(*members, "cni-args");
    if (text.size() > kLongestArgs) {  // they go into each plugin's record
      object.error("cni-args",
                   fmt::format("{} bytes: expected at most {}", text.size(), kLongestArgs));
    }
    const auto args = RawObject::parse(text);
    for (const auto& [key, value] : object.value("cni-args")->items()) {
      one.cni_args.emplace(key, args ? raw(*args, key) : "");
    }
  }
  one.unknown_keys = told_keys(object);
  if (!errors.empty()) return refuse("{}", errors.front().message);
  if (one.name.empty()) return refuse("name: missing");
  if (!is_object_name(one.name, "-.") || !is_object_name(one.namespace_, "-")) {
    return refuse("expected the name of a NetworkAttachmentDefinition, got {}",
                  go_quoted(one.nad()));
  }
  if (auto good = check_interface(one.ifname); !good) return pass(good);
  if (auto good = check_values(one); !good) return pass(good);
  return one;
}

}  // namespace

Result<Selection> read_selection(std::string_view text, std::string_view namespace_) {
  Selection one;
  one.namespace_ = namespace_;
  const auto parts = split(trim(text), '/');
  if (parts.size() > 2) return refuse("{}: Invalid network object (failed at '/')", kWho);
  if (parts.size() == 2) one.namespace_ = trim(parts[0]);
  const auto names = split(trim(parts.back()), '@');
  if (names.size() > 2) return refuse("{}: Invalid network object (failed at '@')", kWho);
  one.name = trim(names[0]);
  if (names.size() == 2) one.ifname = trim(names[1]);
  for (const auto& name : {one.namespace_, one.name}) {
    if (is_object_name(name, "-")) continue;
    return refuse(
        "{}: Failed to parse: one or more items did not match comma-delimited format (must "
        "consist of lower case alphanumeric characters). Must start and end with an alphanumeric "
        "character), mismatch @ {}",
        kWho, go_quoted(name));
  }
  if (auto good = check_interface(one.ifname); !good) return pass(good);
  return one;
}

Result<std::vector<Selection>> read_selections(std::string_view annotation,
                                               std::string_view namespace_) {
  std::vector<Selection> all;
  const auto take = [&](Result<Selection> one) -> Result<void> {
    if (all.size() == kMaxNetworks) return refuse("more than {} networks", kMaxNetworks);
    const auto place = fmt::format("networks[{}]", all.size());
    if (!one) return pass(one, place);
    one->place = fmt::format("{} ({})", place, one->nad());
    all.push_back(std::move(*one));
    return {};
  };
  if (trim(annotation).empty()) return all;
  if (annotation.find_first_of("[{\"") == std::string_view::npos) {
    for (const auto item : split(annotation, ',')) {
      if (auto taken = take(read_selection(item, namespace_)); !taken) return pass(taken);
    }
    return all;
  }
  const auto json = go_json::parse(annotation);
  const auto texts = json ? raw_elements(annotation) : pass(json);
  if (!texts) {
    return refuse(
        "parsePodNetworkAnnotation: failed to parse pod Network Attachment Selection "
        "Annotation JSON format: {}",
        texts.error().message);
  }
  for (size_t i = 0; i < texts->size(); ++i) {
    const auto& entry = (*json)[i];
    if (!entry.is_object()) {
      return refuse("networks[{}]: expected an object, got {}", i, go_json::quote(entry));
    }
    if (auto taken = take(read_entry(entry, (*texts)[i], namespace_)); !taken) return pass(taken);
  }
  return all;
}

}  // namespace railhead::cni
