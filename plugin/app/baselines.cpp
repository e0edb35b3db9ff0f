#include "plugin/app/baselines.hpp"

#include <vector>

#include "attach/baseline.hpp"

namespace railhead::app {
namespace {

constexpr std::chrono::seconds kRoundLimit{30};    // of one round
constexpr std::chrono::milliseconds kEnding{500};  // a round's rest is waited for

}  // namespace

Baselines::Baselines(Loop& loop, const host::Host& host, OpenLinks open_links, Logger& log)
    : host_(host), open_links_(std::move(open_links)), log_(log), worker_(loop.poster()) {}

Baselines::~Baselines() { stop(); }

void Baselines::stop() {
  serving_ = false;
  signs_.clear();
  if (at_work_.valid()) at_work_.wait_for(kEnding);
}

void Baselines::look(const ledger::Holdings& now) {
  std::set<PciAddress> held;
  std::set<PciAddress> granted;
  for (const auto& holding : now.all()) {
    const auto device = PciAddress::parse(holding.device);
    if (!device || holding.is_share()) continue;
    held.insert(*device);
    if (holding.source == ledger::Source::grant) granted.insert(*device);
  }
  for (const auto& device : held) {
    // One that may have been held since before this program began is not as it was before that.
    const bool was_free = !held_.contains(device) && (all_known_ || granted.contains(device));
    if (was_free) signs_[device] = Sign::held;
  }
  if (now.complete()) {
    if (!all_known_) note_what_ended_unseen(held);
    for (const auto& device : held_) {
      if (!held.contains(device)) signs_[device] = Sign::free;
    }
    held_ = std::move(held);
  } else {
    held_.insert(held.begin(), held.end());
  }
  all_known_ = now.complete();
  if (!serving_) signs_.clear();
  proceed();
}

// Holders that went while no agent was there.
void Baselines::note_what_ended_unseen(const std::set<PciAddress>& held) {
  const auto kept = attach::Store(host_.roots.run).baselines();
  if (!kept) return;  // they are compared when the device is given again
  for (const auto& device : *kept) {
    const auto address = device.pci();
    if (address && !held.contains(*address)) signs_[*address] = Sign::free;
  }
}

void Baselines::proceed() {
  if (signs_.empty() || worker_.busy()) return;
  std::promise<void> ending;
  at_work_ = ending.get_future();
  auto job = [this, signs = std::move(signs_), open_links = open_links_, host = host_, log = log_,
              ending = std::make_shared<std::promise<void>>(std::move(ending))]() mutable {
    std::vector<Error> errors;
    {
      auto links = open_links();
      if (!links) errors.push_back(links.error());
      const attach::Store store(host.roots.run);
      const Deadline deadline(host.clock, kRoundLimit, {});
      for (const auto& [device, sign] : signs) {
        if (!links) break;
        host::Host own{**links,        host.rdma,  host.devlink, host.netns, host.functions,
                       host.processes, host.locks, host.clock,   host.roots};
        const attach::Work work{own, store, deadline, log};
        const auto noted =
            sign == Sign::held ? attach::note_held(work, device) : attach::note_free(work, device);
        if (!noted) errors.push_back(noted.error().in(device.to_string()));
      }
    }
    ending->set_value();
    return [this, errors = std::move(errors)] {
      for (const auto& error : errors) {
        log_.warning(
            "what it was like before its pod is not known, an attachment takes it as it is",
            {{"error", error.message}});
      }
      proceed();
    };
  };
  signs_.clear();
  if (auto started = worker_.start(std::move(job)); !started) {
    log_.warning("no baseline was taken", {{"error", started.error().message}});
  }
}

}  // namespace railhead::app
