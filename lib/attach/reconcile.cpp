#include "attach/reconcile.hpp"

#include <algorithm>
#include <functional>

#include "attach/attachments.hpp"
#include "attach/baseline.hpp"
#include "attach/debt.hpp"
#include "attach/foreign.hpp"
#include "attach/function.hpp"
#include "attach/openers.hpp"
#include "attach/undo.hpp"

namespace railhead::attach {
namespace {

using State = Standing::State;

// By its own folder's word; a look that failed otherwise is no word.
bool no_longer_exists(const Work& work, const Record& record) {
  return !is_bare_netdev(record.device) &&
         is(read_function(work.host, record.device), ErrorCode::not_found);
}

// The caller holds the device's lock, or does not act on the answer.
Standing judge(const Work& work, const Record& record, const std::string& boot) {
  Standing standing{record, State::held, {}};
  if (is_of_another_boot(record, boot)) {
    standing.state = State::stale;
    return standing;
  }
  if (record.undo) standing.why = record.undo->reason;
  if (record.undo && record.undo->quarantined) {
    if (const auto who = who_has_open(work.host, record)) standing.why += "; " + *who;
    standing.state = State::quarantined;
    return standing;
  }
  if (no_longer_exists(work, record)) {
    standing.state = State::gone;
    return standing;
  }
  // A userspace driver's device never leaves the host: that is no evidence.
  if (!record.link && !record.moves_rdma()) return standing;
  auto back = is_in_host(work.host, record);
  if (!back) return {record, State::unknown, back.error().message};
  if (!*back) {
    const bool dies_with_its_pod = record.link && !record.link->before.kind.empty();
    const auto netns =
        dies_with_its_pod ? living_netns(work.host, record) : Result<std::optional<host::Netns>>();
    if (dies_with_its_pod && netns && !*netns) standing.state = State::gone;
    return standing;
  }
  // One of its name may have come up in the host meanwhile.
  const auto netns = living_netns(work.host, record);
  auto inside = netns && *netns ? is_in_netns(work.host, **netns, record) : Result<bool>(false);
  if (!netns || !inside) {
    return {record, State::unknown, netns ? inside.error().message : netns.error().message};
  }
  if (*inside) return standing;
  if (const auto who = who_has_open(work.host, record)) {
    standing.why = *who;
    return standing;
  }
  standing.state = State::gone;
  return standing;
}

// The same under the lock, with the record as it is now; nothing where it went meanwhile.
template <class Then>
Result<void> with_lock(const Work& work, const Record& record, Then then) {
  auto lock = work.host.locks.lock(work.store.device_lock(record.device), {});
  if (is(lock, ErrorCode::timeout)) return then(Standing{record, State::in_work, {}});
  if (!lock) return pass(lock);
  auto now = work.store.load(record.key);
  if (!now) return pass(now);
  if (!*now) return {};
  return then(judge(work, **now, boot_id(work.host)));
}

std::string line(const Standing& standing, std::string_view what) {
  const auto& record = standing.record;
  return fmt::format("{}: {} {}{}{}", record.device.name, what, describe(record),
                     standing.why.empty() ? "" : ": ", standing.why);
}

// Undoes one, and says what came of it.
void give_back(const Work& work, const Standing& standing, Reconciled& all) {
  const auto undone = undo(work, standing.record, Addresses::by_gc);
  if (!undone.left) {
    set_aside_of_vf(work, standing.record.key);
    all.done.push_back(line({standing.record, standing.state, {}}, "given back, was"));
    return;
  }
  all.left.push_back(
      fmt::format("{}: not given back: {}", standing.record.device.name, undone.left->message));
}

// Its namespace lives, or that cannot be told.
bool may_be_held(const Work& work, const Standing& standing) {
  if (standing.state == State::quarantined) {
    return who_has_open(work.host, standing.record).has_value();
  }
  if (standing.state != State::held) return standing.state == State::unknown;
  const auto netns = living_netns(work.host, standing.record);
  return !netns || *netns || who_has_open(work.host, standing.record);
}

// Where a quarantined device may be mended without a look into a namespace.
bool may_mend(const Work& work, const Record& record) {
  if (no_longer_exists(work, record)) return true;
  const auto back = is_in_host(work.host, record);
  return back && *back && !who_has_open(work.host, record);
}

void act(const Work& work, const Standing& standing, Doing doing, Pauses& pauses, Reconciled& all) {
  switch (standing.state) {
    case State::gone:
    case State::stale:
      break;
    case State::quarantined:
      if (may_mend(work, standing.record)) break;
      all.left.push_back(line(standing, "in quarantine, and not in the host, or open there:"));
      return;
    case State::unknown:
      all.left.push_back(line(standing, "what stands cannot be read of"));
      return;
    case State::held:
    case State::in_work:
      return;
  }
  if (doing == Doing::dry_run) {
    all.done.push_back(line(standing, "would be given back, was"));
    return;
  }
  if (const auto* left = pauses.of(standing.record.device)) {
    all.left.insert(all.left.end(), left->begin(), left->end());
    return;
  }
  const auto before = all.left.size();
  give_back(work, standing, all);
  pauses.begin(standing.record.device,
               {all.left.begin() + static_cast<ptrdiff_t>(before), all.left.end()});
}

Result<void> pay(const Work& work, const device::DeviceId& device, Doing doing, Pauses& pauses,
                 Reconciled& all) {
  auto lock = work.host.locks.lock(work.store.device_lock(device), {});
  if (is(lock, ErrorCode::timeout)) return {};
  if (!lock) return pass(lock);
  auto owner = work.store.owner(device);
  if (!owner) return pass(owner);
  if (*owner) return {};  // its own undo will try
  if (const auto* left = pauses.of(device)) {
    all.left.insert(all.left.end(), left->begin(), left->end());
    return {};
  }
  const auto owed = read_debts(work.store, device);
  if (owed.debts.empty()) return {};
  if (doing == Doing::dry_run) {
    all.done.push_back(
        fmt::format("{}: would be paid: {}", device.name, to_string(owed.debts.front())));
    return {};
  }
  auto rest = pay_debts(work, device, owed);
  if (!rest) return pass(rest);
  std::vector<std::string> left;
  for (const auto& debt : *rest) {
    left.push_back(fmt::format("{}: {}", device.name, to_string(debt)));
  }
  all.left.insert(all.left.end(), left.begin(), left.end());
  pauses.begin(device, std::move(left));
  if (rest->empty()) all.done.push_back(fmt::format("{}: is as it was again", device.name));
  return write_debts(work.store, device, {owed.inode, *rest});
}

void note(const Result<void>& done, const std::string& device, Reconciled& all) {
  if (!done) all.left.push_back(fmt::format("{}: {}", device, done.error().message));
}

Result<Reconciled> for_each(const Work& work,
                            const std::function<void(const Standing&, Reconciled&)>& then) {
  auto listing = work.store.list();
  if (!listing) return pass(listing);
  Reconciled all;
  for (const auto& error : listing->unreadable) all.left.push_back(error.message);
  for (const auto& record : listing->records) {
    auto done = with_lock(work, record, [&](const Standing& standing) -> Result<void> {
      then(standing, all);
      return {};
    });
    note(done, record.device.name, all);
  }
  return all;
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::held:
      return "held";
    case State::in_work:
      return "in work";
    case State::gone:
      return "gone";
    case State::quarantined:
      return "quarantined";
    case State::stale:
      return "stale";
    case State::unknown:
      break;
  }
  return "unknown";
}

Result<Overview> look_around(const Work& work) {
  auto listing = work.store.list();
  if (!listing) return pass(listing);
  Overview overview;
  overview.unreadable = std::move(listing->unreadable);
  const auto boot = boot_id(work.host);
  for (const auto& record : listing->records) {
    auto standing = judge(work, record, boot);
    if (standing.state == State::gone) {  // or an ADD that has not moved it yet
      const auto lock = work.host.locks.lock(work.store.device_lock(record.device), {});
      if (!lock) standing.state = State::in_work;
    }
    overview.records.push_back(std::move(standing));
  }
  std::sort(overview.records.begin(), overview.records.end(),
            [](const auto& a, const auto& b) { return a.record.device < b.record.device; });
  auto addresses = work.store.owed_addresses("");
  if (!addresses) return pass(addresses);
  overview.addresses = std::move(*addresses);
  auto owing = work.store.debtors();
  if (!owing) return pass(owing);
  for (const auto& device : *owing) {
    auto owed = read_debts(work.store, device);
    if (!owed.debts.empty()) overview.debts[device.name] = std::move(owed.debts);
  }
  return overview;
}

const std::vector<std::string>* Pauses::of(const device::DeviceId& device) const {
  const auto found = pauses_.find(device);
  if (found == pauses_.end() || clock_.now() >= found->second.until) return nullptr;
  return &found->second.left;
}

void Pauses::begin(const device::DeviceId& device, std::vector<std::string> left) {
  if (left.empty()) {
    pauses_.erase(device);
  } else {
    pauses_[device] = {clock_.now() + kPause, std::move(left)};
  }
}

Result<Reconciled> reconcile(const Work& work, Doing doing, Pauses& pauses) {
  auto all = for_each(work, [&](const Standing& standing, Reconciled& so_far) {
    act(work, standing, doing, pauses, so_far);
  });
  if (!all) return all;
  auto owing = work.store.debtors();
  if (!owing) return pass(owing);
  for (const auto& device : *owing) note(pay(work, device, doing, pauses, *all), device.name, *all);
  return all;
}

namespace {

// Of a device whose record says nothing: the baseline tells what stood there.
Result<Reconciled> release_unreadable(const Work& work, const device::DeviceId& device) {
  auto lock = lock_device(work, device);
  if (!lock) return pass(lock);
  const auto function =
      is_bare_netdev(device) ? Result<Function>(Function{}) : read_function(work.host, device);
  if (!function && !is(function, ErrorCode::not_found)) return pass(function);
  Record record;  // as far as it matters for who has it
  record.device = device;
  record.kind = KindName::user_vf;
  const auto who = who_has_open(work.host, record);
  const bool is_away = function && !is_bare_netdev(device) && function->netdevs.empty() &&
                       !device::is_userspace_driver(function->driver);
  // IPoIB's netdev may be back before its RDMA device.
  const auto rdma = rdma_of(work.host, device);
  const auto here = rdma_in_host(work.host, device);
  const bool is_half_away = rdma && !rdma->empty() && here && here->empty();
  if (who || is_away || is_half_away) {
    return fail(ErrorCode::busy, "{} is not free: {}; its pod must end first", device.name,
                who       ? *who
                : is_away ? "it has no netdev in the host"
                          : "its RDMA device is not in the host's namespace");
  }
  const auto restored = repair_to_baseline(work, device);
  if (!restored) return pass(restored);
  if (auto discarded = work.store.discard(device); !discarded) return pass(discarded);
  Reconciled all;
  if (!function) {
    all.done.push_back(fmt::format("{}: exists no longer, its record is removed", device.name));
  } else if (*restored) {
    all.done.push_back(
        fmt::format("{}: its settings, MAC, MTU and name are what they were before "
                    "its record, which could not be read",
                    device.name));
  } else {
    all.done.push_back(fmt::format("{}: let go; its record could not be read", device.name));
    all.left.push_back(fmt::format(
        "{}: what it was before is not known: look at its MAC, VLAN, trust and MTU (ip link)",
        device.name));
  }
  return all;
}

}  // namespace

Result<Reconciled> release(const Work& work, const device::DeviceId& device, Even even) {
  auto owner = work.store.owner(device);
  if (is(owner, ErrorCode::decode) && even == Even::if_held) {
    return release_unreadable(work, device);
  }
  if (!owner) return pass(owner);
  if (!*owner) return fail(ErrorCode::not_found, "nothing is on record of {}", device.name);
  Reconciled all;
  auto done = with_lock(work, **owner, [&](const Standing& standing) -> Result<void> {
    if (standing.state == State::in_work) {
      all.left.push_back(line(standing, "an ADD or DEL is at work on it, for"));
    } else if (even == Even::not_if_held && may_be_held(work, standing)) {
      all.left.push_back(line(standing, "held by"));
    } else {
      give_back(work, standing, all);
    }
    return {};
  });
  if (!done) return pass(done);
  return all;
}

Result<Reconciled> release_all(const Work& work) {
  return for_each(work, [&](const Standing& standing, Reconciled& all) {
    if (standing.state == State::in_work || may_be_held(work, standing)) {
      all.left.push_back(
          line(standing, standing.state == State::in_work ? "in work for" : "held by"));
      return;
    }
    give_back(work, standing, all);
  });
}

}  // namespace railhead::attach
