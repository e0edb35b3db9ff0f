#include "cni/meta/pod_undo.hpp"

#include <algorithm>

#include "attach/attachments.hpp"
#include "base/raw_json.hpp"
#include "base/text.hpp"
#include "cnispec/version.hpp"

namespace railhead::cni {
namespace {

// As long as a device's undo is tried (lib/attach): what a minute did not mend would keep the pod
// for ever.
constexpr std::chrono::seconds kRetryTime{60};
constexpr std::chrono::seconds kForOthers{10};  // of a DEL, for other pods' leavings
constexpr size_t kMostOthers = 8;               // and of these so many
constexpr std::chrono::seconds kPerPod{60};     // of a reconcile
constexpr std::chrono::seconds kAllPods{120};   // its devices want their turn, too

std::chrono::milliseconds since_boot(const Clock& clock) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock.now().time_since_epoch());
}

// Where a round through what failed before begins: at the same ones each time, these would keep the
// others waiting for ever.
size_t turn(const Clock& clock) {
  return static_cast<size_t>(std::chrono::floor<std::chrono::seconds>(since_boot(clock)).count());
}

// Plugins before 0.4.0 are given none, as libcni does.
std::string prev_result(const PodNetwork& network, const std::string& result) {
  const auto version = cnispec::Version::parse(network.cni_version);
  return version && *version >= cnispec::Version{0, 4, 0} ? result : "";
}

struct Failed {
  Act act;
  Error error;
};

// Calls what is left to be called. What failed, in its order.
std::vector<Failed> call_dels(const PluginCalls& calls, const PodRecord& record,
                              PodProgress& progress, std::span<const Act> acts) {
  std::vector<Act> todo;
  for (auto act = acts.rbegin(); act != acts.rend(); ++act) {
    if (std::ranges::find(progress.deleted, *act) == progress.deleted.end()) todo.push_back(*act);
  }
  std::vector<Failed> failed;
  for (size_t i = 0; i < todo.size(); ++i) {
    const auto& act = todo[i];
    const auto previous = prev_result(record.networks[act.network], progress.results[act.network]);
    // One that hangs must not cost the others their turn.
    const auto done = calls.call(cnispec::Command::del, record, act, previous, todo.size() - i);
    if (done) {
      progress.deleted.push_back(act);
    } else {
      failed.push_back({act, done.error()});
    }
  }
  return failed;
}

// A plugin behind another one in a chain that only changes what is in the namespace, as far as a
// configuration tells. Some of these (sbr) fail for ever once it is gone.
bool only_changes_namespace(const PodRecord& record, const Act& act) {
  if (act.plugin == 0) return false;
  const auto plugin = RawObject::of(record.networks[act.network].plugins[act.plugin].input);
  return !RawObject::of(plugin.get("ipam").value_or("{}")).get("type");
}

bool is_of_another_boot(const host::Host& host, const PodRecord& record) {
  const auto boot = attach::boot_id(host);
  return !boot.empty() && !record.boot_id.empty() && record.boot_id != boot;
}

// This pod's end is not to fail for others'.
void give_up_too_many(const Pods& pods, host::Host& host, Logger& log) {
  const auto too_many = pods.left_too_many();
  for (const auto& one : too_many ? *too_many : std::vector<PodRecord>{}) {
    const auto lock = host.locks.lock(pods.lock_of(one.container_id), {});
    if (!lock || !pods.remove(one)) continue;
    log.error("a pod's networks were never given back whole, and its record is given up: too many",
              {{"container", one.container_id}, {"pod", one.pod()}});
  }
}

}  // namespace

Result<void> undo_pod(const PluginCalls& calls, const Pods& pods, const PodRecord& record,
                      PodProgress progress, std::span<const Act> acts, host::Host& host,
                      Logger& log) {
  auto called = record;
  called.netns_path = living_path(host, record);
  auto failed = call_dels(calls, called, progress, acts);
  const auto now = since_boot(host.clock);
  const bool is_tried = progress.first_failed && now - *progress.first_failed > kRetryTime;
  if (!failed.empty() && is_tried && is_gone(host, record)) {
    std::erase_if(failed, [&](const Failed& one) {
      if (!only_changes_namespace(record, one.act)) return false;
      progress.deleted.push_back(one.act);
      log.warning("a plugin's DEL is given up, its namespace is gone",
                  {{"container", record.container_id}, {"error", one.error.text()}});
      return true;
    });
  }
  if (failed.empty()) return pods.remove(record);
  std::vector<std::string> reasons;
  for (const auto& one : failed) reasons.push_back(one.error.text());
  progress.is_attached = false;
  progress.reason = join(reasons, "; ");
  if (!progress.first_failed) progress.first_failed = now;
  if (auto saved = pods.save(record, progress); !saved) return saved;
  if (now - *progress.first_failed <= kRetryTime) {
    auto error = failed.front().error;
    error.message = progress.reason;
    error.details.clear();
    return Failure(std::move(error));
  }
  if (auto noted = pods.leave(record); !noted) return noted;
  log.error(
      "a pod's networks are not given back whole, its record stays",
      {{"container", record.container_id}, {"pod", record.pod()}, {"reason", progress.reason}});
  give_up_too_many(pods, host, log);
  return {};
}

Result<void> undo_pod_on_record(const PluginCalls& calls, const Pods& pods, const PodRecord& record,
                                const std::string& hint, std::chrono::milliseconds wait,
                                host::Host& host, Logger& log) {
  const auto lock = host.locks.lock(pods.lock_of(record.container_id), wait);
  if (is(lock, ErrorCode::timeout)) {
    return fail(ErrorCode::busy, "another call is at work on container {}", record.container_id);
  }
  if (!lock) return pass(lock);
  auto now = pods.load(record.container_id);  // the other call may have ended it
  if (!now) return pass(now);
  if (!*now) return pods.remove(record);
  auto known = std::move(**now);
  known.netns_path = living_path(host, known, hint);
  if (known.plugin_path != record.plugin_path) known.plugin_path = record.plugin_path;
  const auto acts = acts_of(known);
  return undo_pod(calls, pods, known, pods.progress(known), acts, host, log);
}

std::string living_path(host::Host& host, const PodRecord& record, const std::string& hint) {
  if (is_of_another_boot(host, record)) return "";
  for (const auto* path : {&hint, &record.netns_path}) {
    if (path->empty()) continue;
    const auto netns = host.netns.open(*path);
    if (netns && netns->id() == record.netns) return *path;
  }
  return "";
}

bool is_gone(host::Host& host, const PodRecord& record) {
  if (is_of_another_boot(host, record)) return true;
  if (!living_path(host, record).empty()) return false;
  return is(host.netns.find(record.netns), ErrorCode::not_found);
}

void take_up_left(const cnispec::Environment& environment, const Deadline& deadline,
                  const Pods& pods, host::Host& host, Logger& log) {
  const auto left = pods.left();
  if (!left) return;
  const Deadline for_others(host.clock, deadline.left(kForOthers), {});
  const PluginCalls calls(environment, for_others, host, log);
  const auto first = turn(host.clock);
  for (size_t i = 0; i < std::min(left->size(), kMostOthers); ++i) {
    if (for_others.left().count() == 0) break;
    const auto& file = (*left)[(first + i) % left->size()];
    const auto record = pods.load_file(file);
    if (record && !*record) std::ignore = pods.forget_left(file);
    if (!record || !*record || !is_gone(host, **record)) continue;
    const auto done = undo_pod_on_record(calls, pods, **record, "", {}, host, log);
    if (!done) {
      log.warning("a pod that is gone cannot be taken up", {{"error", done.error().text()}});
    }
  }
}

Result<attach::Reconciled> reconcile_pods(host::Host& host, const cnispec::Environment& environment,
                                          attach::Doing doing, Logger& log) {
  const Pods pods(host.roots);
  auto listing = pods.list();
  if (!listing) return pass(listing);
  attach::Reconciled all;
  for (const auto& error : listing->unreadable) all.left.push_back(error.message);
  const Deadline whole(host.clock, kAllPods, {});
  auto& records = listing->records;
  if (!records.empty() && doing != attach::Doing::dry_run) {
    const auto first = static_cast<std::ptrdiff_t>(turn(host.clock) % records.size());
    std::rotate(records.begin(), records.begin() + first, records.end());
  }
  for (const auto& record : records) {
    if (whole.left().count() == 0) {
      all.left.emplace_back("further pods' networks: the time for one round is over");
      break;
    }
    if (!is_gone(host, record)) continue;
    const auto who = fmt::format("networks of container {}{}", record.container_id,
                                 record.pod_name.empty() ? "" : " of pod " + record.pod());
    if (doing == attach::Doing::dry_run) {
      all.done.push_back(who + ": given back");
      continue;
    }
    const Deadline deadline(host.clock, whole.left(kPerPod), {});
    const PluginCalls calls(environment, deadline, host, log);
    const auto done = undo_pod_on_record(calls, pods, record, "", {}, host, log);
    const auto reason = done ? pods.progress(record).reason : done.error().text();
    if (reason.empty()) {
      all.done.push_back(who + ": given back");
    } else {
      all.left.push_back(fmt::format("{}: {}", who, reason));
    }
  }
  return all;
}

}  // namespace railhead::cni
