#include "plugin/ledger/ledger.hpp"

#include <algorithm>
#include <utility>

namespace railhead::ledger {

namespace {

constexpr std::chrono::seconds kUnread{1};

// Of a device or of a whole pool, rather than a device.
bool are_shares(const Granted& granted) {
  return std::ranges::any_of(granted.ids, [](const auto& id) { return device_of(id) != id; });
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::ranges::find(all, one) != all.end();
}

}  // namespace

Result<Granted> Grants::grant(const std::function<Result<Granted>()>& decide) {
  const std::lock_guard lock(mutex_);
  auto granted = decide();
  if (granted) {
    if (auto free = refuse_what_is_granted(*granted); !free) granted = pass(free);
  }
  if (!granted) {
    refused_();
    return granted;
  }
  ++count_;
  put(*granted);
  return granted;
}

void Grants::complete(const Granted& granted) {
  const std::lock_guard lock(mutex_);
  put(granted);
  noted_();
}

void Grants::take_back(const Granted& granted) {
  const std::lock_guard lock(mutex_);
  take_out(granted);
  noted_();
}

// Kubelet counts within a resource, while that is of one kind; shares may be of several resources.
Result<void> Grants::refuse_what_is_granted(const Granted& granted) const {
  const bool shares = are_shares(granted);
  for (const auto& [other, when] : entries_) {
    if (shares == are_shares(other) && (shares || other.resource == granted.resource)) continue;
    for (const auto& device : granted.devices) {
      if (!contains(other.devices, device)) continue;
      return fail(ErrorCode::unavailable,
                  "device {} is not given: held by a pod as {}; free when that ends", device,
                  other.resource);
    }
  }
  return {};
}

void Grants::put(const Granted& granted) {
  take_out(granted);
  entries_.push_back({granted, now_()});
}

// Kubelet gives an id to one container, and to an init container and those after it.
void Grants::take_out(const Granted& granted) {
  for (auto& [older, when] : entries_) {
    if (older.resource != granted.resource) continue;
    if (std::erase_if(older.ids, [&](const auto& id) { return contains(granted.ids, id); }) == 0) {
      continue;
    }
    std::erase_if(older.devices, [&](const auto& device) { return contains(granted.ids, device); });
    older.nodes.clear();  // not to be told apart; Allocate's records have them by device
  }
  std::erase_if(entries_, [](const Entry& entry) { return entry.granted.ids.empty(); });
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

std::vector<Granted> Grants::all(TimePoint listed) const {
  const std::lock_guard lock(mutex_);
  std::vector<Granted> all;
  for (const auto& entry : entries_) {
    all.push_back(entry.granted);
    all.back().is_newer = entry.when > listed;
  }
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
      options_(std::move(options)),
      changed_(std::move(changed)),
      next_(loop, [this] { ask(); }),
      again_(loop, [this] { look(); }) {
  grants_.now_ = [&clock] { return clock.now(); };
  const auto posted = [poster = loop.poster(),
                       alive = std::weak_ptr(alive_)](std::function<void()> work) {
    return [poster, alive, work = std::move(work)] {
      poster.post([alive, work] {
        if (!alive.expired()) work();
      });
    };
  };
  grants_.noted_ = posted([this] {
    merge();
    // By then kubelet lists it, or never will.
    next_.set_if_sooner(clock_.now() + options_.settle);
  });
  // Kubelet took for free what it had been told to be there for a pod that has ended since.
  grants_.refused_ = posted([this] { next_.set_if_sooner(clock_.now()); });
}

std::map<std::string, std::string> Ledger::troubles() const {
  std::map<std::string, std::string> troubles;
  for (const auto& attached : facts_.attached) {
    if (!attached.trouble.empty()) troubles.emplace(attached.device, attached.trouble);
  }
  return troubles;
}

// Kubelet writes its file after each Allocate: the records are read again then, and not with each
// answer, since a large node has a thousand of them.
void Ledger::look() {
  read_saved();
  read_allocations();
  merge();
  next_.set_if_sooner(clock_.now());
}

void Ledger::look_if_old() {
  if (clock_.now() >= listed_ + options_.poll) next_.set_if_sooner(clock_.now());
}

void Ledger::confirm(Then then) {
  waiters_.on_loop.push_back(std::move(then));
  ask();
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

// What cannot be read, for want of descriptors say, is not taken for what is not there: what was
// known stays until it can be.
void Ledger::read_saved() {
  auto saved = sources_.saved();
  if (saved) {
    facts_.saved = std::move(*saved);
    unread_saved_.clear();
  } else if (is(saved, ErrorCode::not_found)) {
    facts_.saved.reset();
  } else {
    unread(saved.error(), unread_saved_);
  }
}

void Ledger::read_allocations() {
  auto allocations = sources_.allocations();
  if (allocations) {
    facts_.allocations = std::move(*allocations);
    unread_allocations_.clear();
  } else {
    unread(allocations.error(), unread_allocations_);
  }
}

void Ledger::unread(const Error& error, std::string& told) {
  if (told != error.message) {
    log_.error("cannot read what pods were given; what was known stays",
               {{"error", error.message}});
  }
  told = error.message;
  again_.set_if_sooner(clock_.now() + kUnread);
}

void Ledger::tell_unknown(const std::string& because) {
  if (!because.empty() && unknown_because_ != because) {
    log_.warning("kubelet does not say who holds which device", {{"error", because}});
  }
  unknown_because_ = because;
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

void Ledger::answered(TimePoint asked, const Waiters& waiters, Result<std::vector<Listed>> answer) {
  asking_ = false;
  read_saved();
  std::optional<Now> now;
  if (answer) {
    now = Now{*answer, unread_saved_.empty() ? facts_.saved : std::nullopt};
    now->whole = take(asked, std::move(*answer));
    for (const auto& waiter : waiters.threads) waiter->set_value(*now);
  } else {
    tell_unknown(answer.error().message);
    next_.set_if_sooner(clock_.now() + options_.retry);
  }
  if (!waiters_.empty()) {
    next_.set(clock_.now());
  } else if (std::exchange(ask_again_, false)) {
    next_.set_if_sooner(clock_.now() + options_.pause);
  }
  merge();
  if (watching_) {
    next_.set_if_sooner(clock_.now() + options_.poll);
  } else if (!holdings_->all().empty()) {
    next_.set_if_sooner(clock_.now() + options_.idle_poll);
  }
  for (const auto& then : waiters.on_loop) then(now);
}

// A kubelet that has just come lists pods as it comes to them; while it does not reach the API
// server, those of its own files alone, and this program's pod is not among them. By this clock and
// not by the sockets' times: the wall clock may jump, above all after a boot.
bool Ledger::take(TimePoint asked, std::vector<Listed> listed) {
  const auto now = clock_.now();
  const bool has_own_pod = lists_own_pod(listed);
  tell_unknown(has_own_pod ? ""
                           : fmt::format("it does not list this agent's own pod, {}, so it may not "
                                         "know all pods yet",
                                         options_.own_pod));
  auto kubelet = sources_.kubelet();
  if (!kubelet || kubelet != kubelet_ || !has_own_pod) whole_since_.reset();
  if (kubelet && has_own_pod && !whole_since_) whole_since_ = now;
  kubelet_ = std::move(kubelet);
  listed_ = asked;
  if (asked < trusted_from_ || !whole_since_ || asked < *whole_since_ + options_.settle) {
    facts_.listed_early = std::move(listed);
    next_.set_if_sooner(whole_since_ ? *whole_since_ + options_.settle : now + options_.retry);
    return false;
  }
  facts_.listed = std::move(listed);
  facts_.listed_early.clear();
  grants_.forget_until(asked - options_.settle);
  forget_given();
  if (const auto oldest = grants_.oldest()) {
    next_.set_if_sooner(std::max(*oldest + options_.settle, now + options_.pause));
  }
  return true;
}

// merge() remembers those of the grants.
void Ledger::forget_given() {
  std::set<Facts::Key> held;
  for (const auto& listed : *facts_.listed) {
    for (const auto& id : listed.ids) held.emplace(listed.resource, id);
  }
  std::erase_if(facts_.given, [&](const auto& one) { return !held.contains(one.first); });
}

bool Ledger::lists_own_pod(const std::vector<Listed>& listed) const {
  const auto own = '/' + options_.own_pod;
  return options_.own_pod.empty() ||
         std::ranges::any_of(listed, [&](const Listed& one) { return one.pod.ends_with(own); });
}

void Ledger::merge() {
  facts_.granted = grants_.all(listed_);
  for (const auto& granted : facts_.granted) {
    for (const auto& id : granted.ids) {
      const Facts::Key key(granted.resource, id);
      if (granted.nodes.empty()) {
        facts_.given.erase(key);
      } else {
        facts_.given[key] = granted.nodes;
      }
    }
  }
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
    waiters_.threads.push_back(waiter);
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
