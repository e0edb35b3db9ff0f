#include "plugin/app/node_watch.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace railhead::app {
namespace {

constexpr std::chrono::seconds kPortPoll{10};
constexpr std::chrono::seconds kModePoll{30};
constexpr std::chrono::seconds kLeastRescan{10};
constexpr std::string_view kBegun = "BEGIN_RECOVERY";

// What an event may have changed. Of a PCI function the bus is looked at too: it may be new.
void add(const host::EventBatch& batch, node::Wanted& wanted) {
  if (batch.everything || batch.lost) {
    wanted = node::Wanted::everything();
    return;
  }
  wanted.links |= batch.links || !batch.functions.empty();
  wanted.rdma |= batch.rdma || !batch.functions.empty();
  wanted.bus |= !batch.functions.empty();
  for (const auto& name : batch.functions) {
    if (const auto function = PciAddress::parse(name)) wanted.functions.insert(*function);
  }
}

}  // namespace

NodeWatch::NodeWatch(Loop& loop, const Clock& clock, host::Events& events, node::Adapters adapters,
                     host::Roots roots, metrics::Metrics& metrics, Logger& log,
                     std::function<void(std::optional<TimePoint>)> changed)
    : clock_(clock),
      loop_(loop),
      events_(events),
      metrics_(metrics),
      log_(log),
      changed_(std::move(changed)),
      scanner_(loop, clock, std::move(adapters), std::move(roots), log,
               [this] { changed_(std::exchange(first_event_, std::nullopt)); }),
      look_(loop, [this] { look_at_events(); }),
      rescan_(loop,
              [this] {
                look("timer");
                if (interest_.rescan) {
                  rescan_.set(clock_.now() + std::max(*interest_.rescan, kLeastRescan));
                }
              }),
      port_poll_(loop, [this] { poll_ports(); }),
      mode_poll_(loop, [this] {
        scanner_.look({.rdma = true});
        mode_poll_.set(clock_.now() + kModePoll);
      }) {}

Result<void> NodeWatch::start() {
  auto heard = loop_.watch(events_.fd(), [this] { this->heard(); });
  if (!heard) return pass(heard);
  heard_ = std::move(*heard);
  look("start");
  return {};
}

std::vector<std::string> NodeWatch::troubles() const {
  auto troubles = scanner_.troubles();
  if (!scanner_.latest()) troubles.push_back("the node has not been read yet");
  return troubles;
}

void NodeWatch::look(const std::string& reason) {
  metrics_.rescanned(reason);
  scanner_.look(node::Wanted::everything());
}

void NodeWatch::heard() {
  const auto now = clock_.now();
  const auto batch = events_.read();
  if (batch.lost) log_.warning("events were lost; the whole node is looked at");
  if (!batch.empty()) {
    gathering_.event(now);
    add(batch, wanted_);
    lost_ |= batch.lost;
    look_.set(*gathering_.due());
    if (log_.enabled(LogLevel::debug)) log_.debug("events", {{"causes", join(batch.causes, "; ")}});
  }
  const auto before = errors_;
  // What is lost may be the end of a recovery.
  if (batch.lost) std::erase_if(errors_, [](const auto& one) { return one.second == kBegun; });
  for (const auto& recovery : batch.recoveries) note(recovery);
  if (errors_ != before) changed_(now);
}

void NodeWatch::note(const host::PciRecovery& recovery) {
  const auto function = PciAddress::parse(recovery.function);
  if (!function) return;
  if (recovery.step.empty()) {
    errors_.erase(*function);
    return;
  }
  log_.warning("PCI error", {{"device", recovery.function}, {"step", recovery.step}});
  if (recovery.step == "SUCCESSFUL_RECOVERY") {
    errors_.erase(*function);
  } else {
    errors_[*function] = recovery.step;
  }
}

void NodeWatch::look_at_events() {
  const auto now = clock_.now();
  if (!first_event_) first_event_ = gathering_.first();
  gathering_.looking(now);
  metrics_.rescanned(std::exchange(lost_, false) ? "lost_events" : "event");
  scanner_.look(std::exchange(wanted_, {}));
}

void NodeWatch::set_interest(const Interest& interest) {
  scanner_.configure(interest.scan);
  scanner_.follow(interest.ports);
  if (interest == interest_) return;
  interest_ = interest;
  rescan_.cancel();
  if (interest.rescan) rescan_.set(clock_.now() + std::max(*interest.rescan, kLeastRescan));
  mode_poll_.cancel();
  if (interest.rdma_mode) mode_poll_.set(clock_.now() + kModePoll);
  port_poll_.cancel();
  if (!interest.untold.empty() || interest.polls_vfs) port_poll_.set(clock_.now() + kPortPoll);
}

bool NodeWatch::has_to_poll() const {
  const auto unheard = scanner_.unheard();
  return interest_.polls_vfs || std::ranges::any_of(interest_.untold, [&](const auto& name) {
           return unheard.contains(name);
         });
}

void NodeWatch::poll_ports() {
  port_poll_.set(clock_.now() + kPortPoll);
  if (!has_to_poll()) return;
  metrics_.port_polled();
  scanner_.look({.ports = true});
}

}  // namespace railhead::app
