#pragma once
// The network configuration on standard input: the part that every plugin type has.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.hpp"
#include "cnispec/plugin_result.hpp"
#include "cnispec/request.hpp"

namespace railhead::cnispec {

struct NetConf {
  std::string cni_version;  // as written, "0.1.0" when there is none
  std::string name;
  std::string type;
  std::string ipam_type;  // "": no IPAM
  friend bool operator==(const NetConf&, const NetConf&) = default;
};

// Codes 6 and 7, in libcni's order and with its texts.
Result<nlohmann::ordered_json> parse_config(std::string_view text);
Result<NetConf> read_net_conf(const nlohmann::ordered_json& config);
// Its "name" alone, by which what was attached is found whatever else has become of it.
Result<std::string> read_network_name(const nlohmann::ordered_json& config);
// Its "dns", which only ADD answers with: it keeps no other verb from its work. Code 6.
Result<Dns> read_conf_dns(const nlohmann::ordered_json& config);

// Whether the verb exists (code 4) and the configuration's version allows it (code 1). Returns the
// verb.
Result<Command> admit(const Request& request, const NetConf& conf);

// "prevResult"; nothing when it is missing. Code 6.
Result<std::optional<PluginResult>> read_prev_result(const nlohmann::ordered_json& config);

// One attachment that GC must leave alone.
struct ValidAttachment {
  std::string container_id;
  std::string ifname;
  friend bool operator==(const ValidAttachment&, const ValidAttachment&) = default;
};

// "cni.dev/valid-attachments" and "cni.dev/attachments" (libcni sends both), joined. Code 7 when
// both keys are missing: that is a broken runtime, not an order to remove everything. null is an
// empty list, as Go writes it.
Result<std::vector<ValidAttachment>> read_valid_attachments(const nlohmann::ordered_json& config);

}  // namespace railhead::cnispec
