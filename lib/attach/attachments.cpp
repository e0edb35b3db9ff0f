#include "attach/attachments.hpp"

#include <algorithm>

#include "attach/debt.hpp"
#include "attach/foreign.hpp"
#include "attach/kinds.hpp"
#include "attach/parts/link.hpp"
#include "attach/parts/rdma.hpp"
#include "attach/parts/vf.hpp"
#include "base/text.hpp"

namespace railhead::attach {
namespace {

// kubelet ends a pod's sandbox within 120 s, and tries again: what a minute of that did not mend
// would keep the pod for ever.
constexpr std::chrono::seconds kRetryTime{60};
// Devices that come anew do so one after the other on a node; a drain may bring dozens.
constexpr std::chrono::minutes kQueueTime{10};

// As long as the existing plugins wait for a device (sriov-cni).
constexpr std::chrono::seconds kDeviceLockLimit{60};

std::chrono::milliseconds since_boot(const Clock& clock) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock.now().time_since_epoch());
}

bool is_valid(const Record& record, const std::vector<AttachmentKey>& valid) {
  const auto has = [&](const AttachmentKey& key) {
    return std::find(valid.begin(), valid.end(), key) != valid.end();
  };
  return has(record.key) || (record.group && has(*record.group));
}

}  // namespace

Result<host::FileLock> lock_device(const Work& work, const device::DeviceId& device) {
  const auto path = work.store.device_lock(device);
  const auto limit = work.deadline.left(kDeviceLockLimit);
  auto lock = work.host.locks.lock(path, limit);
  if (is(lock, ErrorCode::timeout)) {
    Error error{ErrorCode::timeout, 0,
                fmt::format("waited for the lock [{}]: another ADD or DEL of {} has been at work "
                            "for {} s",
                            path, device.name,
                            std::chrono::duration_cast<std::chrono::seconds>(limit).count()),
                reason::kLocked};
    return Failure(std::move(error));
  }
  if (!lock) return pass(lock, device.name);
  return lock;
}

std::string boot_id(const host::Host& host) {
  const auto text = host::read_file(host.roots.proc + "/sys/kernel/random/boot_id");
  return text ? std::string(trim(*text)) : "";
}

Undone undo_rdma(const Work& work, const Record& record, Addresses addresses,
                 const std::string& hint) {
  if (record.kind == KindName::rdma_only) return undo(work, record, addresses, hint);
  Undone undone;
  if (!record.moves_rdma()) return undone;
  auto netns = living_netns(work.host, record, hint);
  const bool is_open = netns && *netns;
  Subject subject{work, record, is_open ? std::make_shared<Pod>(std::move(**netns)) : nullptr};
  subject.record.kind = KindName::rdma_only;
  subject.record.vf.reset();
  subject.record.link.reset();
  undone = restore(subject);
  if (undone.left) return undone;
  Record rest = record;
  rest.rdma->moves = false;
  auto kept = keep_debts(work.store, subject.record, std::move(undone.debts));
  if (kept) kept = work.store.update(rest);
  if (!kept) {
    undone.left = kept.error();
    undone.retry_helps = true;
  }
  return undone;
}

Detached Attachments::detach(const AttachmentKey& key, const std::string& netns_path,
                             Predecessor predecessor) {
  auto keys = store_.keys_of(key);
  if (is(keys, ErrorCode::decode)) return quarantine_unreadable(keys.error());
  if (!keys) return Detached{keys.error(), false, {}};
  if (keys->empty()) {
    const auto taken = take_over(work_, key, netns_path, predecessor);
    if (!taken) return Detached{taken.error(), false, {}};
    if (*taken) keys->push_back(key);
  }
  Detached all;
  for (const auto& one : *keys) {
    auto detached = detach_one(one, netns_path, undo, Addresses::by_caller);
    all.is_silent = all.is_silent && detached.is_silent;
    if (!all.error) all.error = std::move(detached.error);
    if (!all.quarantined) all.quarantined = std::move(detached.quarantined);
  }
  if (!keys->empty() && !all.error && !all.quarantined) set_aside(work_, key, predecessor);
  return all;
}

Detached Attachments::detach_rdma(const AttachmentKey& key, const std::string& netns_path) {
  const auto taken = take_over(work_, key, netns_path, Predecessor::rdma_cni);
  if (!taken) return Detached{taken.error(), false, {}};
  auto all = detach_one(key, netns_path, undo_rdma, Addresses::by_caller);
  if (*taken && !all.error && !all.quarantined) set_aside(work_, key, Predecessor::rdma_cni);
  return all;
}

// Its device stays claimed, so that nobody is given it; the pod can end.
Detached Attachments::quarantine_unreadable(const Error& unreadable) {
  work_.log.error("a record cannot be read, its device is put into quarantine",
                  {{"error", unreadable.message}});
  return Detached{std::nullopt, false, unreadable.message};
}

Detached Attachments::detach_one(const AttachmentKey& key, const std::string& netns_path,
                                 UndoOne undo_one, Addresses addresses) {
  auto record = store_.load(key);
  if (is(record, ErrorCode::decode)) return quarantine_unreadable(record.error());
  if (!record) return Detached{record.error(), false, {}};
  if (!*record) return {};
  auto lock = lock_device(work_, (*record)->device);
  if (!lock) return Detached{lock.error(), false, {}};
  record = store_.load(key);  // another DEL may have been at it
  if (!record) return Detached{record.error(), false, {}};
  if (!*record) return {};
  const auto undone = undo_one(work_, **record, addresses, netns_path);
  if (!undone.left) return {};
  auto now_on_record = store_.load(key);  // a reset wrote down how far it came
  if (now_on_record && *now_on_record) record = std::move(now_on_record);
  if (undone.silent && addresses == Addresses::by_gc) {
    if (auto noted = store_.owe_addresses(key); !noted) return Detached{noted.error(), false, {}};
  }
  auto& tried = (*record)->undo;
  const auto now = since_boot(host_.clock);
  if (!tried) tried = Undo{now, {}, false};
  tried->reason = undone.left->message;
  const auto limit = undone.left->reason == reason::kQueued ? kQueueTime : kRetryTime;
  tried->quarantined = tried->quarantined || !undone.retry_helps || now - tried->first > limit;
  if (auto saved = store_.update(**record); !saved) {
    return Detached{saved.error(), undone.silent, {}};
  }
  if (!tried->quarantined) return Detached{undone.left, undone.silent, {}};
  work_.log.error(
      "the device is put into quarantine: it is not as it was, and given to nobody "
      "before it is",
      {{"device", (*record)->device.name},
       {"holder", describe(**record)},
       {"reason", tried->reason}});
  return Detached{std::nullopt, undone.silent, tried->reason};
}

Result<bool> Attachments::check(const AttachmentKey& key) {
  auto record = store_.load(key);
  if (!record) return pass(record);
  if (!*record) {
    return fail(ErrorCode::not_found, "there is no attachment {}", describe(key, ""));
  }
  Subject subject{work_, std::move(**record), nullptr};
  auto netns = living_netns(host_, subject.record);
  if (!netns) return pass(netns);
  if (!*netns) {
    return fail(ErrorCode::not_found, "the namespace {} is gone", subject.record.netns_path);
  }
  std::vector<std::string> wrong;
  if (subject.record.phase == Phase::adding) wrong.emplace_back("its ADD did not come to its end");
  if (subject.record.vf) {
    auto text = kind_of(subject.record.kind).vf->difference_to_asked(subject);
    if (!text) return pass(text);
    if (!text->empty()) wrong.push_back(*text);
  }
  const auto add = [&](const Result<std::vector<std::string>>& found) -> Result<void> {
    if (!found) return pass(found);
    wrong.insert(wrong.end(), found->begin(), found->end());
    return {};
  };
  if (subject.record.link) {
    auto links = host_.netns.links(**netns);
    if (!links) return pass(links);
    if (auto added = add(link::check(subject, **links)); !added) return pass(added);
  }
  if (subject.record.moves_rdma()) {
    if (auto added = add(rdma::check(subject, **netns)); !added) return pass(added);
  }
  if (wrong.empty()) return subject.record.link.has_value();
  return fail(ErrorCode::io, "{}: {}", describe(subject.record), join(wrong, "; "));
}

Result<void> Attachments::collect_garbage(const std::string& network,
                                          const std::vector<AttachmentKey>& valid) {
  auto listing = store_.list();
  if (!listing) return pass(listing);
  std::optional<Error> first;
  for (const auto& error : listing->unreadable) std::ignore = quarantine_unreadable(error);
  for (const auto& record : listing->records) {
    if (record.key.network != network || is_valid(record, valid)) continue;
    auto done = detach_one(record.key, "", undo, Addresses::by_gc);
    if (!first) first = std::move(done.error);
  }
  return as_result(first);
}

Result<void> Attachments::status() const {
  if (auto ready = store_.prepare(); !ready) return ready;
  return store_.probe();
}

}  // namespace railhead::attach
