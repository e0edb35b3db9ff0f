#pragma once
// The keys that every plugin type of this program has beside those of CNI.
#include <chrono>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/go_json.hpp"
#include "base/log.hpp"
#include "cnispec/request.hpp"

namespace railhead::cni {

// For what a configuration says that cannot be: code 7.
template <class... Args>
[[nodiscard]] Failure refuse(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::invalid_argument, format, std::forward<Args>(args)...);
}

struct LogConf {
  std::string file;  // "": standard error
  LogLevel level = LogLevel::info;
  friend bool operator==(const LogConf&, const LogConf&) = default;
};

// Never fails: what cannot be read is as if it were not there, as in sriov-cni.
LogConf read_log_conf(const nlohmann::ordered_json& config);

// How long a call may take: `addTimeout` and `delTimeout` in seconds, 25 to 600. Without them what
// fits into the time that kubelet gives to a pod's sandbox: for one of several networks, or, of the
// meta plugin, for all of them. Never fails.
std::chrono::seconds read_budget(const nlohmann::ordered_json& config, cnispec::Command command);

// What of these two cannot be, for an ADD: code 7.
Result<void> check_budgets(const nlohmann::ordered_json& config);

// Whether the agent is asked whose a device is, where it serves.
enum class Ownership {
  warn,     // another pod's is attached all the same, with a warning
  refuse,   // another pod's is refused
  require,  // the same, and without an agent nothing is attached
  off,      // nobody is asked
};
// `ownership`: "require" or "off". Without it type `railhead` refuses another pod's device, and
// what stands in another program's place warns of it, as that program does not ask. Code 7 for
// another word.
Result<Ownership> read_ownership(const nlohmann::ordered_json& config);

// `ipamDirs`, the admin's folders that host-local's `dataDir` may be in beside /var/lib/cni;
// absent: none. Code 7 for what is no list of absolute paths without "..".
Result<std::vector<std::string>> read_ipam_dirs(const nlohmann::ordered_json& config);

// Of an ADD's budget what its undo may need.
inline constexpr std::chrono::seconds kUndoReserve{20};

// The keys that nobody asked for, "vlam (vlan?)", for a warning: no more than fit into a log line.
std::vector<std::string> told_keys(const go_json::Object& object);

}  // namespace railhead::cni
