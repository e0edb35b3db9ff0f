#include "plugin/app/resolve_of.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace railhead::app {
namespace {

using ipc::ResolveAnswer;
using ipc::ResolveState;
using Key = std::pair<std::string, std::string>;  // container and resource
using Own = std::map<Key, std::set<std::string>>;

// By the UID, which nobody else has.
Own saved_of(const ledger::Ledger::Now& now, const std::string& uid) {
  Own own;
  if (uid.empty() || !now.saved) return own;
  for (const auto& saved : *now.saved) {
    if (saved.pod_uid == uid) {
      own[{saved.container, saved.resource}].insert(saved.ids.begin(), saved.ids.end());
    }
  }
  return own;
}

// A container without devices is an entry of no resource.
std::vector<ledger::Listed> listed_of(const ledger::Ledger::Now& now,
                                      const ipc::ResolveQuestion& question) {
  if (!question.is_named()) return {};
  std::vector<ledger::Listed> all;
  const auto pod = question.pod_namespace + '/' + question.pod_name;
  std::ranges::copy_if(now.listed, std::back_inserter(all),
                       [&](const auto& listed) { return listed.pod == pod; });
  return all;
}

ResolveAnswer known(std::vector<ContainerDevices> containers, ledger::Source source) {
  for (auto& one : containers) sort_device_ids(one.devices);
  return {ResolveState::known, std::move(containers), std::string(to_string(source))};
}

ResolveAnswer known(const std::vector<ledger::Listed>& listed) {
  std::vector<ContainerDevices> containers;
  for (const auto& one : listed) {
    if (!one.resource.empty()) containers.push_back({one.container, one.resource, one.ids});
  }
  return known(std::move(containers), ledger::Source::podresources);
}

ResolveAnswer known(const Own& own) {
  std::vector<ContainerDevices> containers;
  for (const auto& [key, ids] : own) {
    containers.push_back({key.first, key.second, {ids.begin(), ids.end()}});
  }
  return known(std::move(containers), ledger::Source::checkpoint);
}

// With the file's word of this very pod.
ResolveAnswer by_both(std::vector<ledger::Listed> listed, const Own& own) {
  std::set<std::string> containers;
  for (const auto& one : listed) containers.insert(one.container);
  std::erase_if(listed, [&](const auto& one) {
    const auto found = own.find({one.container, one.resource});
    return found == own.end() || found->second != std::set(one.ids.begin(), one.ids.end());
  });
  std::set<Key> same;
  for (const auto& one : listed) same.emplace(one.container, one.resource);
  const bool all_listed = std::ranges::all_of(own, [&](const auto& one) {
    return same.contains(one.first) || !containers.contains(one.first.first);
  });
  return all_listed && !listed.empty() ? known(listed) : known(own);
}

// Kubelet lists a resource of a container once.
bool is_of_two_pods(const std::vector<ledger::Listed>& listed) {
  std::set<Key> keys;
  for (const auto& one : listed) {
    if (!keys.emplace(one.container, one.resource).second) return true;
  }
  return std::ranges::any_of(listed, [&](const auto& one) {
    return !one.resource.empty() && keys.contains({one.container, ""});
  });
}

// What kubelet's device plugins gave.
ResolveAnswer by_device_plugins(const ledger::Ledger::Now& now,
                                const ipc::ResolveQuestion& question,
                                const std::vector<ledger::Listed>& listed) {
  if (const auto own = saved_of(now, question.pod_uid); !own.empty()) return by_both(listed, own);
  if (listed.empty()) return {};
  const bool file_has_none = now.saved && !question.pod_uid.empty();
  const bool has_devices =
      std::ranges::any_of(listed, [](const auto& one) { return !one.resource.empty(); });
  if (!has_devices) return now.whole || file_has_none ? known(listed) : ResolveAnswer{};
  return file_has_none || is_of_two_pods(listed) ? ResolveAnswer{} : known(listed);
}

// Those by claims, of which kubelet's file has none. A container that has nothing else is one
// without devices.
std::vector<ledger::Listed> take_claimed(std::vector<ledger::Listed>& listed) {
  std::vector<ledger::Listed> claimed;
  std::vector<ledger::Listed> rest;
  for (auto& one : listed) (one.is_claimed ? claimed : rest).push_back(std::move(one));
  for (const auto& one : claimed) {
    const bool has_more = std::ranges::any_of(
        rest, [&](const auto& other) { return other.container == one.container; });
    if (!has_more) rest.push_back({one.pod, one.container, "", {}});
  }
  listed = std::move(rest);
  return claimed;
}

}  // namespace

ResolveAnswer resolve_of(const ledger::Ledger::Now& now, const ipc::ResolveQuestion& question) {
  auto listed = listed_of(now, question);
  const auto claimed = take_claimed(listed);
  auto answer = by_device_plugins(now, question, listed);
  if (answer.state != ResolveState::known) return answer;
  for (const auto& one : claimed) {
    answer.containers.push_back({one.container, one.resource, one.ids});
    sort_device_ids(answer.containers.back().devices);
  }
  return answer;
}

}  // namespace railhead::app
