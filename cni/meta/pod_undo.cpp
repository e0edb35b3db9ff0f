#include "cni/meta/pod_undo.hpp"

#include <algorithm>

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
                      PodProgress progress, std::span<const Act> acts, const Clock& clock,
                      Logger& log) {
  std::optional<Error> first;
  std::vector<std::string> reasons;
  for (auto act = acts.rbegin(); act != acts.rend(); ++act) {
    if (std::ranges::find(progress.deleted, *act) != progress.deleted.end()) continue;
    const auto previous =
        prev_result(record.networks[act->network], progress.results[act->network]);
    const auto done = calls.call(cnispec::Command::del, record, *act, previous);
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
  const auto now = since_boot(clock);
  if (!progress.first_failed) progress.first_failed = now;
  if (auto saved = pods.save(record, progress); !saved) return saved;
  first->message = progress.reason;
  if (now - *progress.first_failed <= kRetryTime) return Failure(std::move(*first));
  log.error(
      "a pod's networks are not given back whole, its record stays",
      {{"container", record.container_id}, {"pod", record.pod()}, {"reason", progress.reason}});
  return {};
}

}  // namespace railhead::cni
