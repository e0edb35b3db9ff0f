#include "plugin/app/claimed_devices.hpp"

namespace railhead::app {
namespace {

// Those of one container, by resource.
std::map<std::string, std::vector<std::string>> names_of(
    const std::vector<kubelet::ClaimedDevice>& devices, const ClaimedDevices::All& claimed) {
  std::map<std::string, std::vector<std::string>> all;
  for (const auto& one : devices) {
    const auto found = claimed.find({one.driver, one.pool, one.device});
    if (found != claimed.end()) all[found->second.resource].push_back(found->second.device);
  }
  return all;
}

}  // namespace

void ClaimedDevices::set(All all) {
  auto next = std::make_shared<const All>(std::move(all));
  const std::lock_guard lock(mutex_);
  all_ = std::move(next);
}

std::shared_ptr<const ClaimedDevices::All> ClaimedDevices::all() const {
  const std::lock_guard lock(mutex_);
  return all_;
}

// The entries of a container follow each other.
std::vector<ledger::Listed> listed_of(std::vector<kubelet::PodDevices> pods,
                                      const ClaimedDevices::All& claimed) {
  std::vector<ledger::Listed> all;
  all.reserve(pods.size());
  for (auto& one : pods) {
    const auto pod = one.pod_namespace + '/' + one.pod;
    if (one.claimed.empty()) {
      all.push_back({pod, std::move(one.container), std::move(one.resource), std::move(one.ids)});
      continue;
    }
    const bool has_more =
        !all.empty() && all.back().pod == pod && all.back().container == one.container;
    const auto names = names_of(one.claimed, claimed);
    for (const auto& [resource, devices] : names) {
      all.push_back({pod, one.container, resource, devices, true});
    }
    if (names.empty() && !has_more) all.push_back({pod, std::move(one.container), "", {}});
  }
  return all;
}

}  // namespace railhead::app
