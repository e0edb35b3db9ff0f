#pragma once
// What a pod asks for: its annotation k8s.v1.cni.cncf.io/networks, in both of its forms
// (multi-net-spec 1.3, section 4), with Multus' refusals.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace railhead::cni {

inline constexpr std::string_view kNetworksKey = "k8s.v1.cni.cncf.io/networks";
inline constexpr std::string_view kDefaultNetworkKey = "v1.multus-cni.io/default-network";

// One network, as an entry asks for it. "" and absent: not asked for.
struct Selection {
  std::string place;  // for messages: "networks[1] (ml/rail1)"
  std::string namespace_;
  std::string name;
  std::string ifname;
  std::vector<std::string> ips;  // "10.1.2.3" or "10.1.2.3/24"
  std::string mac;
  std::string infiniband_guid;
  std::string port_mappings;                         // JSON text
  std::string bandwidth;                             // JSON text
  std::optional<std::vector<std::string>> gateways;  // default-route
  std::map<std::string, std::string> cni_args;       // each a JSON text
  std::string device;                                // deviceID
  std::string container;                  // the device is one that kubelet gave to this container
  std::optional<int64_t> rail;            // the device is of this one of the resource's rails
  std::vector<std::string> unknown_keys;  // ignored, worth a warning
  friend bool operator==(const Selection&, const Selection&) = default;

  [[nodiscard]] std::string nad() const { return namespace_ + "/" + name; }
};

// `namespace_`: the pod's, of entries that name none. Errors: invalid_argument, decode; the text
// names the entry.
Result<std::vector<Selection>> read_selections(std::string_view annotation,
                                               std::string_view namespace_);
// One name of the short form, "[namespace/]name[@interface]".
Result<Selection> read_selection(std::string_view text, std::string_view namespace_);

}  // namespace railhead::cni
