#include "attach/transaction.hpp"

#include <algorithm>
#include <set>

#include "attach/addresses.hpp"
#include "attach/attachments.hpp"
#include "attach/baseline.hpp"
#include "attach/debt.hpp"
#include "attach/foreign.hpp"
#include "attach/inspect.hpp"
#include "attach/openers.hpp"
#include "attach/parts/ib.hpp"
#include "attach/parts/link.hpp"
#include "attach/parts/rdma.hpp"
#include "attach/parts/vf.hpp"
#include "attach/undo.hpp"

namespace railhead::attach {
namespace {

Failure held_by(const Record& holder, const std::string& how = "") {
  Error error{ErrorCode::busy, 0,
              fmt::format("the {} {} is held by {}{}; it is released when that is deleted",
                          noun(holder.kind), holder.device.name, describe(holder), how),
              reason::kHeld};
  return Failure(std::move(error));
}

// Its namespace lives, and the device is in it, or at least not in the host again. (A namespace
// made anew can come by the path and the inode number of an old one.)
Result<bool> is_in_pod(host::Host& host, const Record& holder) {
  auto netns = living_netns(host, holder);
  if (!netns) return pass(netns);
  if (!*netns) return false;
  if (!holder.link && !holder.moves_rdma()) return true;
  if (auto inside = is_in_netns(host, **netns, holder); !inside || *inside) return inside;
  auto back = is_in_host(host, holder);
  if (!back) return pass(back);
  return !*back;
}

// Fails (kHeld) where the holder has its device still. A quarantined one is no pod's, but a process
// that does not end may have it open.
Result<void> refuse_if_it_holds(host::Host& host, const Record& holder) {
  if (!holder.undo || !holder.undo->quarantined) {
    auto inside = is_in_pod(host, holder);
    if (!inside) return pass(inside);
    if (*inside) return held_by(holder);
  }
  if (const auto who = who_has_open(host, holder)) {
    return held_by(holder, fmt::format(", of which {}", *who));
  }
  return {};
}

// Given, or, where none was, the VF's own.
bool has_guid(const Record& record, const Guid& guid) {
  if (record.vf && record.vf->asked.port_guid) return record.vf->asked.port_guid == guid;
  return record.link && ib::port_guid_of(record.link->before.address) == guid;
}

Record record_of(const AttachRequest& request, const Pod& pod, const std::string& boot_id) {
  Record record;
  record.key = request.key;
  record.group = request.group;
  record.pod = request.pod;
  record.boot_id = boot_id;
  record.netns_path = request.netns_path;
  record.netns = pod.netns.id();
  record.device = request.device;
  record.kind = request.kind;
  record.table = request.table;
  return record;
}

}  // namespace

Transaction::Transaction(host::Host& host, const Deadline& deadline, Logger& log)
    : host_(host),
      log_(log),
      store_(host.roots.run),
      deadline_(deadline),
      undo_deadline_(deadline.for_undo()),
      work_{host_, store_, deadline_, log_} {}

Result<std::vector<Attached>> Transaction::attach(std::span<const AttachRequest> requests) {
  if (auto ready = store_.prepare(); !ready) return pass(ready);
  auto done = plan(requests);
  if (done) done = lock();
  for (auto& begun : begun_) {
    if (done) done = make_free(begun);
  }
  if (done) done = choose_guids();
  vf::Looks looks;
  for (auto& begun : begun_) {
    begun.subject.looks = begun_.size() > 1 ? &looks : nullptr;
    if (done) done = inspect(begun);
    begun.subject.looks = nullptr;
  }
  if (done) done = check_names();
  std::optional<host::FileLock> guid_lock;
  if (done) done = settle_guids(guid_lock);
  if (!done) return pass(done);
  done = record();
  guid_lock.reset();
  for (const auto phase : kAddPhases) {
    if (done) done = take_phase(phase);
  }
  if (!done) {
    if (const auto undone = undo(); undone.left) {
      auto error = done.error();
      error.message = fmt::format("{}; and the undo failed, the device stays held: {}",
                                  error.message, undone.left->message);
      return Failure(std::move(error));
    }
    return pass(done);
  }
  std::vector<Attached> all;
  for (const auto& begun : begun_) {
    all.push_back(attached(begun.subject));
    all.back().came_anew = begun.follows();
  }
  return all;
}

Result<std::shared_ptr<Pod>> Transaction::open_pod(const std::string& path) {
  auto& pod = pods_[path];
  if (!pod) {
    auto netns = host_.netns.open(path);
    if (!netns) return pass(netns, "network namespace");
    pod = std::make_shared<Pod>(std::move(*netns));
  }
  return pod;
}

Result<void> Transaction::plan(std::span<const AttachRequest> requests) {
  std::set<device::DeviceId> devices;
  const auto boot = boot_id(host_);
  for (const auto& request : requests) {
    if (!devices.insert(request.device).second) {
      return fail(ErrorCode::busy, "{} is asked for twice, by {} too", request.device.name,
                  describe(request.key, request.pod));
    }
    auto pod = open_pod(request.netns_path);
    if (!pod) return pass(pod);
    auto& begun = begun_.emplace_back(Begun{Subject{work_, record_of(request, **pod, boot), *pod}});
    auto& subject = begun.subject;
    subject.rdma = request.rdma;
    subject.takes_host_use = request.takes_host_use || request.kind == KindName::whole_nic;
    const bool is_vf = attach::is_vf(request.kind);
    if (is_vf && request.reset) subject.record.reset = Reset::asked;
    if (is_vf) subject.record.vf = VfPart{{}, 0, {}, request.settings.vf};
    if (is_vf && layer_of(request.kind) == host::LinkLayer::infiniband &&
        !request.settings.vf.port_guid) {
      begun.guid_pool = request.settings.guid_pool;
    }
    if (request.kind == KindName::rdma_only) continue;
    subject.record.link = LinkPart{{}, request.settings.vf.mac, request.settings.mtu};
  }
  return {};
}

// For those that take one of a pool, without the lock that settle_guids() holds: hardware is asked,
// which may take its time.
Result<void> Transaction::choose_guids() {
  const bool takes = std::ranges::any_of(
      begun_, [](const Begun& begun) { return begun.guid_pool && !begun.is_appended; });
  if (!takes) return {};
  auto in_force = guids_in_force(host_);
  if (!in_force) return pass(in_force);
  guids_in_force_ = std::move(*in_force);
  auto used = guids_on_record(store_);
  if (!used) return pass(used);
  used->insert(guids_in_force_.begin(), guids_in_force_.end());
  for (const auto& begun : begun_) {
    const auto& vf = begun.subject.record.vf;
    if (vf && vf->asked.port_guid) used->insert(vf->asked.port_guid->value);
  }
  for (auto& begun : begun_) {
    auto& record = begun.subject.record;
    if (!begun.guid_pool || begun.is_appended) continue;
    const auto guid = choose_guid(*begun.guid_pool, *used, record.key);
    if (!guid) return pass(guid, record.device.name);
    record.vf->asked.node_guid = record.vf->asked.port_guid = *guid;
    used->insert(guid->value);
  }
  return {};
}

// What was chosen may have been given meanwhile. `lock` stays until all are on record.
Result<void> Transaction::settle_guids(std::optional<host::FileLock>& lock) {
  std::vector<Begun*> with_guid;
  Guids used = guids_in_force_;
  Guids asked;
  for (auto& begun : begun_) {
    const auto& vf = begun.subject.record.vf;
    if (!vf || !vf->asked.port_guid || begun.is_appended) continue;
    with_guid.push_back(&begun);
    if (begun.guid_pool) continue;
    used.insert(vf->asked.port_guid->value);
    if (asked.insert(vf->asked.port_guid->value).second) continue;
    return fail(ErrorCode::invalid_argument, "GUID {} is asked for twice",
                vf->asked.port_guid->to_string());
  }
  if (with_guid.empty()) return {};
  auto locked = lock_guids(work_);
  if (!locked) return pass(locked);
  lock = std::move(*locked);
  for (auto* begun : with_guid) {
    auto settled = begun->guid_pool ? settle_pooled(*begun, used) : check_asked(*begun);
    if (!settled) return settled;
    used.insert(begun->subject.record.vf->asked.port_guid->value);
  }
  return {};
}

Result<void> Transaction::settle_pooled(Begun& begun, const Guids& used) {
  auto& subject = begun.subject;
  auto& asked = subject.record.vf->asked;
  auto all = guids_on_record(store_);
  if (!all) return pass(all);
  all->insert(used.begin(), used.end());
  if (!all->contains(asked.port_guid->value)) return {};
  const auto guid = choose_guid(*begun.guid_pool, *all, subject.record.key);
  if (!guid) return pass(guid, subject.name());
  asked.node_guid = asked.port_guid = *guid;
  return ib::inspect_guids(subject);
}

// Two ports of one GUID are a fault of the whole fabric.
Result<void> Transaction::check_asked(const Begun& begun) {
  const auto guid = *begun.subject.record.vf->asked.port_guid;
  const auto listing = store_.list();
  if (!listing) return pass(listing);
  for (const auto& other : listing->records) {
    if (locks_.contains(other.device) || !has_guid(other, guid)) continue;
    if (!may_hold(other)) continue;
    return fail(ErrorCode::busy, "GUID {} is that of {} already", guid.to_string(),
                describe(other));
  }
  return {};
}

// Of another device's: while an ADD or an undo is at work on it, it does.
bool Transaction::may_hold(const Record& other) {
  const auto lock = host_.locks.lock(store_.device_lock(other.device), std::chrono::seconds(0));
  return !lock || !refuse_if_it_holds(host_, other);
}

Result<void> Transaction::lock() {
  std::set<device::DeviceId> devices;
  for (const auto& begun : begun_) devices.insert(begun.subject.record.device);
  for (const auto& device : devices) {
    auto lock = lock_device(work_, device);
    if (!lock) return pass(lock);
    locks_.emplace(device, std::move(*lock));
  }
  return {};
}

// A device whose holder is gone was not given back (its DEL never came, or failed): do it now.
Result<void> Transaction::make_free(Begun& begun) {
  auto& subject = begun.subject;
  auto mine = store_.load(subject.record.key);
  if (!mine) return pass(mine);
  if (*mine && (*mine)->device != subject.record.device) return held_by(**mine);
  if (*mine && subject.record.kind == KindName::rdma_only && (*mine)->phase == Phase::attached) {
    auto inside = is_in_pod(host_, **mine);
    if (!inside) return pass(inside);
    if (*inside && !is_of_userspace((*mine)->kind)) {
      begun.is_appended = true;
      begun.is_done = (*mine)->moves_rdma();
      subject.record = std::move(**mine);
      return {};
    }
  }
  if (auto done = undo_of_the_gone(subject); !done) return done;
  // What a killed ADD wrote before it claimed the device, or left of its undo: it holds nothing.
  if (*mine) {
    if (auto removed = store_.remove(**mine); !removed) return removed;
  }
  if (!subject.record.vf) return {};
  const auto repaired = repair_to_baseline(work_, subject.record.device);
  return repaired ? Result<void>() : pass(repaired);
}

Result<void> Transaction::undo_of_the_gone(const Subject& subject) {
  const auto& device = subject.record.device;
  auto holder = store_.owner(device);
  if (holder && !*holder && subject.record.vf) {
    const auto taken = take_over_device(work_, device);
    if (!taken) return pass(taken);
    if (*taken) holder = store_.owner(device);
  }
  if (is(holder, ErrorCode::decode)) {
    return fail(ErrorCode::busy, "who holds {} is not known: {}", device.name,
                holder.error().message);
  }
  if (!holder) return pass(holder);
  if (!*holder) return store_.remove_empty_claim(device);
  if (auto free = refuse_if_it_holds(host_, **holder); !free) return free;
  log_.warning("taking up the undo of an attachment that no longer has its device",
               {{"device", device.name}, {"holder", describe(**holder)}});
  const auto undone = attach::undo(work_, **holder, Addresses::by_gc);
  if (!undone.left) {
    set_aside_of_vf(work_, (*holder)->key);
    return {};
  }
  auto error = *undone.left;
  error.code = ErrorCode::busy;
  error.message +=
      fmt::format("; it was {}'s, and is given to nobody before it is mended", describe(**holder));
  return Failure(std::move(error));
}

// Everything that stands there, before anything is changed; and what a former undo owes is paid.
Result<void> Transaction::inspect(Begun& begun) {
  auto& subject = begun.subject;
  if (begun.is_done) return {};
  if (subject.record.kind == KindName::rdma_only) {
    const auto layer = read_layer(host_, subject.record.device);
    if (!layer) return pass(layer);
    // A PF may have a netdev for each of its VFs: of Ethernet they are not walked through.
    const auto ipoib = *layer == host::LinkLayer::infiniband
                           ? has_ipoib(host_, subject.record.device)
                           : Result<bool>(false);
    if (!ipoib) return pass(ipoib);
    if (*ipoib) {
      return fail(ErrorCode::unsupported,
                  "{} is an InfiniBand device, whose netdev another program has attached: it would "
                  "leave the pod with the move of its RDMA device. rdmaIsolation of ib-sriov moves "
                  "both",
                  subject.name());
    }
  }
  if (begun.is_appended) return rdma::inspect(subject);
  if (auto seen = inspect_device(subject); !seen) return seen;
  settle(subject, read_debts(store_, subject.record.device));
  return {};
}

// Names taken in the pod are found before anything is changed; the kernel moves the alternative
// names along. One that is the new name is taken off, and given back by the undo.
Result<void> Transaction::check_names() {
  std::map<Pod*, std::map<std::string, std::string>> taken;  // name, by whom
  for (auto& [path, pod] : pods_) {
    auto links = pod->links(host_.netns);
    if (!links) return pass(links);
    const auto present = (*links)->list();
    if (!present) return pass(present);
    for (const auto& link : *present) {
      taken[pod.get()].emplace(link.name, path);
      for (const auto& name : link.alt_names) taken[pod.get()].emplace(name, path);
    }
  }
  for (const auto& begun : begun_) {
    const auto& record = begun.subject.record;
    if (!record.link || begun.is_appended) continue;
    auto names = begun.subject.link->alt_names;
    std::erase(names, record.key.ifname);
    names.insert(names.begin(), record.key.ifname);
    for (const auto& name : names) {
      const auto [at, is_new] = taken[begun.subject.pod.get()].emplace(name, record.device.name);
      if (is_new) continue;
      return fail(ErrorCode::already_exists, "the name {} is already taken {} {}{}", name,
                  at->second == record.netns_path ? "in" : "by", at->second,
                  name == record.key.ifname ? ""
                                            : fmt::format(" (it is an alternative name of {})",
                                                          begun.subject.link->name));
    }
  }
  return {};
}

Result<void> Transaction::record() {
  for (auto& begun : begun_) {
    if (begun.is_done) continue;
    const auto& record = begun.subject.record;
    if (begun.is_appended) {
      if (auto saved = store_.update(record); !saved) return saved;
    } else if (auto saved = store_.save(record); !saved) {
      return saved;
    }
    begun.is_recorded = true;
    if (begun.is_appended) continue;
    if (auto claimed = store_.claim(record); !claimed) return claimed;
    if (auto kept = keep_baseline(work_, record); !kept) return kept;
  }
  return {};
}

Result<void> Transaction::take_phase(AddPhase phase) {
  // One move at a time on the node: concurrent ones permute the minors of the character devices.
  std::optional<host::FileLock> rdma_lock;
  const bool moves =
      phase == AddPhase::rdma && std::any_of(begun_.begin(), begun_.end(), [](const Begun& begun) {
        return !begun.is_done && begun.subject.record.moves_rdma();
      });
  if (moves) {
    auto lock = host_.locks.lock(store_.rdma_lock(), deadline_.left());
    if (!lock) return pass(lock);
    rdma_lock = std::move(*lock);
  }
  vf::Looks looks;
  for (auto& begun : begun_) {
    if (begun.is_done) continue;
    const bool shares = phase == AddPhase::read_back && begun_.size() > 1;
    begun.subject.looks = shares ? &looks : nullptr;
    Result<void> done;
    if (begun.is_appended && phase < AddPhase::rdma) continue;
    const auto kind =
        begun.is_appended && !begun.follows() ? KindName::rdma_only : begun.subject.record.kind;
    for (const auto& step : kind_of(kind).add) {
      if (step.phase != phase) continue;
      if (step.run == link::read_back && !begun.subject.record.link) continue;
      if (done) done = step.run(begun.subject);
    }
    begun.subject.looks = nullptr;
    if (!done) return done;
  }
  return {};
}

Attached Transaction::attached(const Subject& subject) const {
  const auto& record = subject.record;
  Attached attached;
  attached.device = record.device;
  attached.ifname = record.key.ifname;
  attached.rdma = subject.rdma_names;
  attached.has_netdev = record.link.has_value();
  attached.warnings = subject.warnings;
  if (record.link && subject.link) {
    attached.mac = subject.link->address;
    attached.mtu = subject.link->mtu;
    attached.host_addresses = record.link->before.addresses;
    attached.host_routes = record.link->before.routes;
  } else if (record.vf) {
    const auto& mac = record.vf->asked.mac ? record.vf->asked.mac : record.vf->before.mac;
    if (mac && !mac->is_zero()) attached.mac = mac;
  }
  return attached;
}

Result<void> Transaction::activate(size_t number, const IpConfig& config) {
  if (number >= begun_.size() || !begun_[number].subject.link_in_pod) {
    return fail(ErrorCode::internal, "there is no netdev in the pod to activate");
  }
  return activate_addresses(begun_[number].subject, config);
}

Result<void> Transaction::commit() {
  for (auto& begun : begun_) {
    auto& record = begun.subject.record;
    if (record.phase == Phase::attached) continue;
    record.phase = Phase::attached;
    if (auto saved = store_.update(record); !saved) return saved;
  }
  return {};
}

Undone Transaction::undo() {
  const Work work{host_, store_, undo_deadline_, log_};
  Undone all;
  // Our own handles would keep a namespace that ends, and what is in it, while it is waited for.
  for (auto& begun : begun_) begun.subject.pod.reset();
  pods_.clear();
  for (auto begun = begun_.rbegin(); begun != begun_.rend(); ++begun) {
    if (!begun->is_recorded) continue;
    const auto undo_one = begun->is_appended ? undo_rdma : attach::undo;
    auto undone = undo_one(work, begun->subject.record, Addresses::by_caller, "");
    all.silent = all.silent && undone.silent;
    if (!all.left) all.left = std::move(undone.left);
  }
  begun_.clear();
  return all;
}

}  // namespace railhead::attach
