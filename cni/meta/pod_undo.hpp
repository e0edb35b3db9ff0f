#pragma once
// Takes a pod's networks from it, from its record: for DEL, GC, reconcile, and an ADD that failed.
#include <optional>
#include <span>

#include "attach/reconcile.hpp"
#include "cni/meta/plugin_calls.hpp"
#include "cni/meta/pods.hpp"

namespace railhead::cni {

// Calls DEL for these acts in the reverse of their order, each whatever the others say, but for
// those that were done before; then forgets the record, or keeps in it what was done and why the
// rest was not. Fails for a minute at most after the first try that failed: then the pod may end,
// and the record stays for GC, reconcile, or a further DEL; of a plugin that is chained behind
// another and has no IPAM only while the namespace is there. Plugins get the namespace's path where
// it is still the pod's, else none: some of them fail for ever on a path that names something else.
// The error is the first one's.
[[nodiscard]] Result<void> undo_pod(const PluginCalls& calls, const Pods& pods,
                                    const PodRecord& record, PodProgress progress,
                                    std::span<const Act> acts, host::Host& host, Logger& log);

// The same for all of a record's calls, beside nobody else's for this container: `wait` says how
// long to wait for another call that is at work on it (busy: it still is). `hint`: see
// living_path().
[[nodiscard]] Result<void> undo_pod_on_record(const PluginCalls& calls, const Pods& pods,
                                              const PodRecord& record, const std::string& hint,
                                              std::chrono::milliseconds wait, host::Host& host,
                                              Logger& log);

// The path of the pod's namespace, where one of these is it: `hint`, which may be empty, or the
// record's; "" where neither is.
[[nodiscard]] std::string living_path(host::Host& host, const PodRecord& record,
                                      const std::string& hint = "");
// Whether no path and no process has its namespace any more, or another boot had it.
[[nodiscard]] bool is_gone(host::Host& host, const PodRecord& record);

// Undoes the pods whose DEL succeeded without being whole, once they are gone: what their plugins
// could not do in the namespace need not be done any more. Within a part of the deadline.
void take_up_left(const cnispec::Environment& environment, const Deadline& deadline,
                  const Pods& pods, host::Host& host, Logger& log);

// Undoes the pods that are gone, whose DEL did not come or did not come to its end. What was done
// and what is left, a line each; with Doing::dry_run what would be done.
[[nodiscard]] Result<attach::Reconciled> reconcile_pods(host::Host& host,
                                                        const cnispec::Environment& environment,
                                                        attach::Doing doing, Logger& log);

}  // namespace railhead::cni
