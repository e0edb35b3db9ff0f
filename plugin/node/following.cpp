// The part of the scanner that hears of RDMA ports.
#include <utility>

#include "base/text.hpp"
#include "plugin/node/scanner.hpp"

namespace railhead::node {

// RDMA devices of the group that are to be followed and were not tried yet.
std::vector<std::string> Scanner::to_open(const Group& group) const {
  std::vector<std::string> names;
  if (!group.facts) return names;
  for (const auto& function : group.facts->functions) {
    for (const auto& device : function.rdma) {
      const bool wanted = device.in_host_namespace && to_follow_.contains(device.name);
      if (wanted && !followed_.contains(device.name)) names.push_back(device.name);
    }
  }
  return names;
}

void Scanner::follow(std::set<std::string> rdma_devices) {
  to_follow_ = std::move(rdma_devices);
  std::vector<std::string> over;
  for (const auto& [name, followed] : followed_) {
    if (!to_follow_.contains(name)) over.push_back(name);
  }
  for (const auto& name : over) stop_following(name);
  bool any = false;
  for (auto& [head, group] : groups_) {
    if (to_open(*group).empty()) continue;
    any = group->wanted = true;
  }
  if (any) proceed();
}

std::set<std::string> Scanner::unheard() const {
  std::set<std::string> names;
  for (const auto& name : to_follow_) {
    const auto followed = followed_.find(name);
    if (followed == followed_.end() || !followed->second.events) names.insert(name);
  }
  return names;
}

void Scanner::heard(const std::string& device) {
  const auto followed = followed_.find(device);
  if (followed == followed_.end()) return;
  const auto batch = followed->second.events->read();
  if (batch.causes.empty() && !batch.gone) return;
  if (log_.enabled(LogLevel::debug)) log_.debug("events", {{"causes", join(batch.causes, "; ")}});
  const auto head = followed->second.head;
  if (batch.gone) stop_following(device);
  if (const auto group = groups_.find(head); group != groups_.end()) {
    group->second->wanted = true;
    group->second->functions_wanted |= batch.gone;
    proceed();
  }
}

// Closed on a thread that nobody waits for: the kernel may be waiting for this very descriptor
// while it holds what the group's worker waits for.
void Scanner::stop_following(const std::string& device) {
  auto followed = followed_.extract(device);
  if (!followed || !followed.mapped().events) return;
  followed.mapped().watch.drop();
  close_soon(*groups_.at(followed.mapped().head), std::move(followed.mapped().events));
}

void Scanner::close_soon(Group& group, std::shared_ptr<host::PortEvents> events) {
  if (!events) return;
  group.to_close.push_back(std::move(events));
  close_some(group);
}

void Scanner::close_some(Group& group) {
  if (group.closer.busy() || group.to_close.empty()) return;
  const auto closing = std::make_shared<std::vector<std::shared_ptr<host::PortEvents>>>();
  closing->swap(group.to_close);
  const auto begun = group.closer.start([this, &group, closing]() -> Worker::Finish {
    closing->clear();
    return [this, &group] {
      close_some(group);
      proceed();
    };
  });
  if (begun) return;
  group.to_close.swap(*closing);
  retry_.set_if_sooner(clock_.now() + kRetry);
}

}  // namespace railhead::node
