#pragma once
// The subcommands for whoever looks after a node: `state`, `reconcile`, `release`.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attach/reconcile.hpp"
#include "base/log.hpp"
#include "cni/answer.hpp"
#include "cni/meta/pod_record.hpp"
#include "cnispec/request.hpp"
#include "host/events.hpp"
#include "host/host.hpp"

namespace railhead::cni {

// How they read their arguments; --help has the words.
struct AdminCommand {
  enum class Verb { state, reconcile, release };
  Verb verb = Verb::state;
  bool json = false;     // state
  bool dry_run = false;  // reconcile
  bool watch = false;    // reconcile
  bool all = false;      // release
  bool force = false;    // release: from a living pod, too
  std::string device;    // release
  friend bool operator==(const AdminCommand&, const AdminCommand&) = default;
};

// Nothing where the first argument is none of the subcommands; the answer where the arguments are
// wrong (exit code 2) or ask for help.
struct ReadAdmin {
  std::optional<AdminCommand> command;
  std::optional<Answer> answer;
};
[[nodiscard]] ReadAdmin read_admin(const std::vector<std::string>& arguments);

using OpenEvents = std::function<Result<std::unique_ptr<host::Events>>()>;

// Exit codes: 0 done, 1 failed, 3 something was left that is not as it must be. Lines on standard
// error say what is done as it is done. `reconcile --watch` ends with the process only.
[[nodiscard]] Answer run_admin(const AdminCommand& command, host::Host& host,
                               const cnispec::Environment& environment,
                               const OpenEvents& open_events);

// --- parts, for tests
// -----------------------------------------------------------------------------

// What stands on record of pods, from disk alone.
struct PodStanding {
  PodRecord record;
  PodProgress progress;
  std::string_view state;  // "attached"; --help has the words
  bool is_told = true;     // what the cluster is to know of it, it was told
};
struct PodsOverview {
  std::vector<PodStanding> pods;
  std::vector<Error> unreadable;
};
[[nodiscard]] Result<PodsOverview> look_at_pods(const host::Host& host);

// A table for people, or JSON.
[[nodiscard]] std::string overview_text(const attach::Overview& overview, const PodsOverview& pods);
[[nodiscard]] std::string overview_json(const attach::Overview& overview, const PodsOverview& pods);

// not unless this process is in the network namespace of the machine's first process: in another
// every device would look as if it were gone.
[[nodiscard]] Result<void> check_host_netns(host::Host& host);
// Whether namespaces that are made from now on will be seen here: /run/netns is no mount of its
// own, or one that propagation reaches (HostToContainer).
[[nodiscard]] bool sees_new_namespaces(const host::Host& host);

}  // namespace railhead::cni
