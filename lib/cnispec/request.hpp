#pragma once
// What a runtime asks of a plugin by environment variables.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace railhead::cnispec {

// The process environment, "KEY=value" each.
using Environment = std::vector<std::string>;
// "" when it is missing.
std::string_view value_of(const Environment& environment, std::string_view key);
// The same environment with one variable set.
Environment with(Environment environment, std::string_view key, std::string_view value);

enum class Command { add, del, check, gc, status, version };
std::string_view to_string(Command command);  // "ADD"

struct Request {
  std::string verb;                // CNI_COMMAND as it came
  std::optional<Command> command;  // nothing: a verb that no version of CNI knows
  std::string container_id;        // CNI_CONTAINERID
  std::string netns;               // CNI_NETNS, a path; may be empty but for ADD and CHECK
  std::string ifname;              // CNI_IFNAME
  std::string args;                // CNI_ARGS
  std::string path;                // CNI_PATH
  bool netns_override = false;     // CNI_NETNS_OVERRIDE: CNI_NETNS may be the plugin's own

  friend bool operator==(const Request&, const Request&) = default;
};

// Checks what each verb requires and how container id and interface name are spelled, as libcni's
// skel does (code 4). An unknown verb is not an error yet: the configuration is looked at first.
Result<Request> read_request(const Environment& environment);

// CNI_ARGS, "K=V;K=V".
struct CniArgs {
  std::string mac;            // MAC
  std::string pod_name;       // K8S_POD_NAME
  std::string pod_namespace;  // K8S_POD_NAMESPACE
  std::string pod_uid;        // K8S_POD_UID
  friend bool operator==(const CniArgs&, const CniArgs&) = default;
};

// Keys are matched exactly. A key that is unknown here is an error unless IgnoreUnknown is true;
// the Kubernetes runtimes always say so.
Result<CniArgs> read_args(std::string_view text);
// The pairs as they stand, for whoever passes them on; what is no pair is left out.
std::vector<std::pair<std::string, std::string>> arg_pairs(std::string_view text);

}  // namespace railhead::cnispec
