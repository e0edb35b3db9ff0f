#include "cni/meta/pod_undo.hpp"

#include <algorithm>

#include "attach/attachments.hpp"
#include "base/text.hpp"
#include "cnispec/version.hpp"

namespace railhead::cni {
namespace {

// As long as a device's undo is tried (lib/attach): what a minute did not mend would keep the pod
// for ever.
constexpr std::chrono::seconds kRetryTime{60};

std::chrono::milliseconds since_boot(const Clock& clock) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock.now().time_since_epoch());
}

// Plugins before 0.4.0 are given none, as libcni does.
std::string prev_result(const PodNetwork& network, const std::string& result) {
  const auto version = cnispec::Version::parse(network.cni_version);
  return version && *version >= cnispec::Version{0, 4, 0} ? result : "";
}

}  // namespace

Result<void> undo_pod(const PluginCalls& calls, const Pods& pods, const PodRecord& record,
                      PodProgress progress, std::span<const Act> acts, host::Host& host,
                      Logger& log) {
  auto called = record;
  called.netns_path = living_path(host, record);
  std::optional<Error> first;
  std::vector<std::string> reasons;
  for (auto act = acts.rbegin(); act != acts.rend(); ++act) {
    if (std::ranges::find(progress.deleted, *act) != progress.deleted.end()) continue;
    const auto previous =
        prev_result(record.networks[act->network], progress.results[act->network]);
    const auto done = calls.call(cnispec::Command::del, called, *act, previous);
    if (done) {
      progress.deleted.push_back(*act);
      continue;
    }
    reasons.push_back(done.error().text());
    if (!first) first = done.error();
  }
  if (!first) return pods.remove(record);
  progress.is_attached = false;
  progress.reason = join(reasons, "; ");
  const auto now = since_boot(host.clock);
  if (!progress.first_failed) progress.first_failed = now;
  if (auto saved = pods.save(record, progress); !saved) return saved;
  first->message = progress.reason;
  if (now - *progress.first_failed <= kRetryTime) return Failure(std::move(*first));
  if (auto noted = pods.leave(record); !noted) return noted;
  log.error(
      "a pod's networks are not given back whole, its record stays",
      {{"container", record.container_id}, {"pod", record.pod()}, {"reason", progress.reason}});
  return {};
}

std::string living_path(host::Host& host, const PodRecord& record, const std::string& hint) {
  if (record.boot_id != attach::boot_id(host)) return "";
  for (const auto* path : {&hint, &record.netns_path}) {
    const auto netns =
        path->empty() ? Result<host::Netns>(Failure(Error{})) : host.netns.open(*path);
    if (netns && netns->id() == record.netns) return *path;
  }
  return "";
}

bool is_gone(host::Host& host, const PodRecord& record) {
  if (record.boot_id != attach::boot_id(host)) return true;
  if (!living_path(host, record).empty()) return false;
  return is(host.netns.find(record.netns), ErrorCode::not_found);
}

void take_up_left(const PluginCalls& calls, const Pods& pods, host::Host& host, Logger& log) {
  const auto left = pods.left();
  if (!left) return;
  for (const auto& record : *left) {
    if (!is_gone(host, record)) continue;
    const auto acts = acts_of(record);
    const auto done = undo_pod(calls, pods, record, pods.progress(record), acts, host, log);
    if (!done)
      log.warning("a pod that is gone cannot be taken up", {{"error", done.error().text()}});
  }
}

Result<attach::Reconciled> reconcile_pods(host::Host& host, const cnispec::Environment& environment,
                                          const Deadline& deadline, attach::Doing doing,
                                          Logger& log) {
  const Pods pods(host.roots);
  auto listing = pods.list();
  if (!listing) return pass(listing);
  attach::Reconciled all;
  for (const auto& error : listing->unreadable) all.left.push_back(error.message);
  const PluginCalls calls(environment, deadline, host, log);
  for (const auto& record : listing->records) {
    if (!is_gone(host, record)) continue;
    const auto who = fmt::format("networks of container {}{}", record.container_id,
                                 record.pod_name.empty() ? "" : " of pod " + record.pod());
    if (doing == attach::Doing::dry_run) {
      all.done.push_back(who + ": given back");
      continue;
    }
    const auto acts = acts_of(record);
    auto done = undo_pod(calls, pods, record, pods.progress(record), acts, host, log);
    const auto progress = pods.progress(record);
    if (done && progress.reason.empty()) {
      all.done.push_back(who + ": given back");
    } else {
      all.left.push_back(fmt::format("{}: {}", who, progress.reason));
    }
  }
  return all;
}

}  // namespace railhead::cni
