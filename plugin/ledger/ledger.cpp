#include "plugin/ledger/ledger.hpp"

#include <algorithm>
#include <utility>

namespace railhead::ledger {

Result<Granted> Grants::grant(const std::function<Result<Granted>()>& decide) {
  const std::lock_guard lock(mutex_);
  auto granted = decide();
  if (granted) {
    ++count_;
    replace(*granted);
    noted_();
  }
  return granted;
}

void Grants::complete(const Granted& granted) {
  const std::lock_guard lock(mutex_);
  replace(granted);
  noted_();
}

void Grants::take_back(const Granted& granted) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const Entry& entry) {
    return entry.granted.resource == granted.resource && entry.granted.ids == granted.ids;
  });
  noted_();
}

// A container that is asked for again has one grant.
void Grants::replace(const Granted& granted) {
  std::erase_if(entries_, [&](const Entry& entry) {
    return entry.granted.resource == granted.resource && entry.granted.ids == granted.ids;
  });
  entries_.push_back({granted, now_()});
}

bool Grants::show_if_none_since(uint64_t count, const std::function<void()>& show) {
  const std::lock_guard lock(mutex_);
  if (count != count_) return false;
  show();
  return true;
}

uint64_t Grants::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

std::vector<Granted> Grants::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<Granted> all;
  for (const auto& entry : entries_) all.push_back(entry.granted);
  return all;
}

std::optional<Grants::TimePoint> Grants::oldest() const {
  const std::lock_guard lock(mutex_);
  std::optional<TimePoint> oldest;
  for (const auto& entry : entries_) oldest = oldest ? std::min(*oldest, entry.when) : entry.when;
  return oldest;
}

void Grants::forget_until(TimePoint when) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const Entry& entry) { return entry.when <= when; });
}

Ledger::Ledger(Loop& loop, const Clock& clock, Sources sources, Logger& log, Options options,
               std::function<void()> changed)
    : loop_(loop),
      clock_(clock),
      sources_(std::move(sources)),
      log_(log),
      options_(options),
      changed_(std::move(changed)),
      next_(loop, [this] { ask(); }) {
  grants_.now_ = [&clock] { return clock.now(); };
  grants_.noted_ = [this, poster = loop.poster(), alive = std::weak_ptr(alive_)] {
    poster.post([this, alive] {
      if (alive.expired()) return;
      merge();
      // By then kubelet lists it, or never will.
      next_.set_if_sooner(clock_.now() + options_.settle);
    });
  };
}

std::map<std::string, std::string> Ledger::troubles() const {
  std::map<std::string, std::string> troubles;
  for (const auto& attached : facts_.attached) {
    if (!attached.trouble.empty()) troubles.emplace(attached.device, attached.trouble);
  }
  return troubles;
}

void Ledger::look() {
  read_files();
  merge();
  next_.set_if_sooner(clock_.now());
}

void Ledger::doubt() {
  trusted_from_ = clock_.now();
  unknown_because_ = "kubelet has not been asked since this agent serves";
  if (auto listed = std::exchange(facts_.listed, std::nullopt)) {
    facts_.listed_early = std::move(*listed);
  }
  look();
}

void Ledger::set_attached(std::vector<Attached> attached) {
  facts_.attached = std::move(attached);
  merge();
}

void Ledger::set_pools(std::map<std::string, std::vector<std::string>> pools) {
  if (facts_.pools == pools) return;
  facts_.pools = std::move(pools);
  merge();
}

void Ledger::watch(bool for_ends) {
  watching_ = for_ends;
  if (for_ends) next_.set_if_sooner(clock_.now() + options_.poll);
}

void Ledger::read_files() {
  auto saved = sources_.saved();
  facts_.saved = saved ? std::optional(std::move(*saved)) : std::nullopt;
  facts_.allocations = sources_.allocations();
}

void Ledger::ask() {
  next_.cancel();
  if (asking_) {
    ask_again_ = true;
    return;
  }
  asking_ = true;
  const auto asked = clock_.now();
  sources_.list([this, asked, waiters = std::exchange(waiters_, {}), poster = loop_.poster(),
                 alive = std::weak_ptr(alive_)](Result<std::vector<Listed>> answer) {
    poster.post([this, asked, waiters, alive, answer = std::move(answer)] {
      if (!alive.expired()) answered(asked, waiters, answer);
    });
  });
}

void Ledger::answered(TimePoint asked, const std::vector<Waiter>& waiters,
                      Result<std::vector<Listed>> answer) {
  asking_ = false;
  read_files();
  if (answer) {
    for (const auto& waiter : waiters) waiter->set_value({*answer, facts_.saved});
    unknown_because_.clear();
    take(asked, std::move(*answer));
  } else {
    if (unknown_because_ != answer.error().message) {
      log_.warning("kubelet does not say who holds which device",
                   {{"error", answer.error().message}});
    }
    unknown_because_ = answer.error().message;
    next_.set_if_sooner(clock_.now() + options_.retry);
  }
  if (watching_) next_.set_if_sooner(clock_.now() + options_.poll);
  if (const auto oldest = grants_.oldest()) {
    next_.set_if_sooner(std::max(*oldest + options_.settle, clock_.now() + options_.pause));
  }
  if (!waiters_.empty()) {
    next_.set(clock_.now());
  } else if (std::exchange(ask_again_, false)) {
    next_.set_if_sooner(clock_.now() + options_.pause);
  }
  merge();
}

// A kubelet that has just come lists pods as it comes to them.
void Ledger::take(TimePoint asked, std::vector<Listed> listed) {
  const auto age = sources_.kubelet_age();
  if (asked < trusted_from_) {
    facts_.listed_early = std::move(listed);
  } else if (age && *age >= options_.settle) {
    facts_.listed = std::move(listed);
    facts_.listed_early.clear();
  } else {
    facts_.listed_early = std::move(listed);
    next_.set_if_sooner(clock_.now() + (age ? options_.settle - *age : options_.retry));
  }
  const std::lock_guard lock(grants_.mutex_);
  std::erase_if(grants_.entries_,
                [&](const Grants::Entry& entry) { return entry.when + options_.settle <= asked; });
}

void Ledger::merge() {
  facts_.granted = grants_.all();
  auto merged = ledger::merge(facts_);
  merged.stamp(*holdings_, std::chrono::system_clock::now());
  if (merged == *holdings_) return;
  holdings_ = std::make_shared<const Holdings>(std::move(merged));
  changed_();
}

std::optional<Ledger::Now> Ledger::fresh(std::chrono::milliseconds limit) {
  const auto waiter = std::make_shared<std::promise<Now>>();
  auto now = waiter->get_future();
  loop_.post([this, waiter, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    waiters_.push_back(waiter);
    ask();
  });
  if (now.wait_for(limit) != std::future_status::ready) return std::nullopt;
  try {
    return now.get();
  } catch (const std::future_error&) {  // kubelet gave no answer
    return std::nullopt;
  }
}

}  // namespace railhead::ledger
