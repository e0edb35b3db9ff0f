#pragma once
// What a plugin's ADD gives, in one form for every version of the protocol.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.hpp"

namespace railhead::cnispec {

// An empty text or an absent number: not given, and not printed.
struct Interface {
  std::string name;
  std::string mac;
  std::optional<uint32_t> mtu;  // bytes; since 1.1.0
  std::string sandbox;          // path of the namespace
  std::string socket_path;      // since 1.1.0
  std::string pci_id;           // "0000:3b:00.2"; since 1.1.0
  friend bool operator==(const Interface&, const Interface&) = default;
};

struct Ip {
  std::optional<uint32_t> interface;  // an index into PluginResult::interfaces
  std::string address;                // "10.1.2.3/24"
  std::string gateway;
  [[nodiscard]] bool v6() const { return address.find(':') != std::string::npos; }
  friend bool operator==(const Ip&, const Ip&) = default;
};

struct Route {
  std::string dst;  // "0.0.0.0/0"
  std::string gw;
  std::optional<uint32_t> mtu;       // this and the following since 1.1.0
  std::optional<uint32_t> advmss;    // bytes
  std::optional<uint32_t> priority;  // metric
  std::optional<uint32_t> table;
  std::optional<uint32_t> scope;  // RT_SCOPE_*
  [[nodiscard]] bool v6() const { return dst.find(':') != std::string::npos; }
  friend bool operator==(const Route&, const Route&) = default;
};

struct Dns {
  std::vector<std::string> nameservers;
  std::string domain;
  std::vector<std::string> search;
  std::vector<std::string> options;
  friend bool operator==(const Dns&, const Dns&) = default;
};

struct PluginResult {
  std::vector<Interface> interfaces;
  std::vector<Ip> ips;
  std::vector<Route> routes;
  Dns dns;
  friend bool operator==(const PluginResult&, const PluginResult&) = default;
};

// The result as `version` (a supported one) spells it. What that version has no word for is left
// out; before 0.3.0 that includes the interfaces and all but the first address of each family.
std::string to_json(const PluginResult& result, std::string_view version);

// Reads a result of any supported version; one without "cniVersion" is taken as it stands, and
// null is an empty result, as libcni takes them. Errors: code 6 with the key.
Result<PluginResult> read_result(const nlohmann::ordered_json& json);
Result<PluginResult> parse_result(std::string_view text);

Dns read_dns(const nlohmann::ordered_json* dns, std::vector<Error>& errors);

}  // namespace railhead::cnispec
