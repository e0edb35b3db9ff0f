#include "attach/undo.hpp"

#include <algorithm>
#include <cerrno>

#include "attach/attachments.hpp"
#include "attach/baseline.hpp"
#include "attach/debt.hpp"
#include "attach/function.hpp"
#include "attach/kinds.hpp"
#include "attach/parts/driver.hpp"
#include "attach/parts/link.hpp"
#include "attach/parts/rdma.hpp"
#include "base/text.hpp"

namespace railhead::attach {
namespace {

constexpr unsigned kTries = 2;

bool may_pass(const Error& error) {
  return error.code == ErrorCode::busy || error.code == ErrorCode::timeout ||
         error.os_errno == EAGAIN || error.os_errno == EINTR || error.os_errno == ENOBUFS ||
         error.os_errno == ENOMEM || error.os_errno == ENODEV;
}

// A device that lost its driver, or got another, has no netdev to give back; but a reset that was
// cut off binds the driver again.
bool lost_its_netdev(const Record& record, const Function& function) {
  if (!record.link || is_bare_netdev(record.device)) return false;
  if (function.driver.empty()) return record.reset != Reset::begun;
  return device::is_userspace_driver(function.driver);
}

class Restorer {
 public:
  explicit Restorer(Subject& subject) : subject_(subject), record_(subject.record) {}

  Undone run() {
    auto function = find();
    if (!function) return left({function.error()});
    if (!*function) return {};
    if (lost_its_netdev(record_, **function)) {
      subject_.work.log.warning("its driver was changed, so it has no netdev to give back",
                                {{"device", subject_.name()}, {"driver", (*function)->driver}});
      subject_.own_address = record_.link->before.address;
      record_.link.reset();
      record_.kind = without_netdev(record_.kind);
    }
    Undone undone;
    for (subject_.undo_tries = 0; subject_.undo_tries < kTries; ++subject_.undo_tries) {
      const auto failed = take_steps();
      undone = judge(failed);
      if ((!undone.left && undone.debts.empty()) || needed_failed_) break;
    }
    undone.silent = silent_;
    undone.owes_settings = subject_.owes_settings;
    return undone;
  }

 private:
  Result<std::optional<Function>> find() {
    if (is_bare_netdev(record_.device)) return find_bare();
    return driver::find(subject_);
  }

  // A netdev of software is gone with its namespace.
  Result<std::optional<Function>> find_bare() {
    if (subject_.pod || !record_.link || record_.link->before.kind.empty()) return Function{};
    auto here = is_in_host(subject_.host(), record_);
    if (!here) return pass(here);
    if (*here) return Function{};
    return std::optional<Function>();
  }

  std::vector<Error> take_steps() {
    std::vector<Error> failed;
    needed_failed_ = false;
    silent_ = !record_.link;
    for (const auto& step : kind_of(record_.kind).undo) {
      auto done = step.run(subject_);
      if (step.run == link::silence) silent_ = done && subject_.pod;
      if (step.run == link::arrive && done) silent_ = true;
      if (done) continue;
      failed.push_back(done.error());
      needed_failed_ = step.needed;
      if (needed_failed_) break;
    }
    return failed;
  }

  // What is as it was is good, whatever failed on the way.
  Undone judge(const std::vector<Error>& failed) {
    if (needed_failed_) return left(failed);
    Undone undone;
    std::vector<std::string> must;
    if (record_.vf) {
      auto text = kind_of(record_.kind).vf->difference_left(subject_);
      if (!text) return left({text.error()});
      if (!text->empty()) must.push_back(*text);
    }
    if (record_.link) {
      auto differences = link::differences(subject_);
      if (!differences) return left({differences.error()});
      must.insert(must.end(), differences->must.begin(), differences->must.end());
      undone.debts = std::move(differences->debts);
    }
    auto rdma = rdma::differences(subject_);
    if (!rdma) return left({rdma.error()});
    must.insert(must.end(), rdma->must.begin(), rdma->must.end());
    undone.debts.insert(undone.debts.end(), rdma->debts.begin(), rdma->debts.end());
    if (must.empty()) return undone;
    auto text = fmt::format("{} {} is back, but not as it was: {}", noun(record_.kind),
                            subject_.name(), join(must, "; "));
    // Without a failure the driver has not done yet what it was told (ice resets its VF for it).
    undone.retry_helps = failed.empty() || std::all_of(failed.begin(), failed.end(), may_pass);
    for (const auto& error : failed) text += fmt::format("; {}", error.message);
    undone.left = Error{undone.retry_helps ? ErrorCode::busy : ErrorCode::io, 0, text, {}};
    return undone;
  }

  static Undone left(const std::vector<Error>& failed) {
    Undone undone;
    undone.left = failed.back();
    undone.retry_helps = may_pass(failed.back());
    undone.silent = false;
    return undone;
  }

  Subject& subject_;
  Record& record_;
  bool needed_failed_ = false;
  bool silent_ = false;
};

Result<void> forget(const Work& work, const Record& record, const Undone& undone,
                    Addresses addresses) {
  const auto& debts = undone.debts;
  for (const auto& debt : debts) {
    work.log.warning("not as it was, tried again later",
                     {{"device", record.device.name}, {"what", to_string(debt)}});
  }
  if (auto kept = keep_debts(work.store, record, debts); !kept) return kept;
  if (addresses == Addresses::by_gc) {
    if (auto noted = work.store.owe_addresses(record.key); !noted) return noted;
  }
  // What the agent took before the attachment was there it compares itself.
  if (!undone.owes_settings) {
    if (auto gone = drop_kept_baseline(work, record); !gone) return gone;
  }
  return work.store.remove(record);
}

Undone failed(Error error) {
  Undone undone;
  undone.left = std::move(error);
  undone.retry_helps = true;
  undone.silent = false;
  return undone;
}

}  // namespace

Undone restore(Subject& subject) { return Restorer(subject).run(); }

Undone undo(const Work& work, const Record& record, Addresses addresses, const std::string& hint) {
  auto holder = work.store.owner(record.device);
  if (!holder) return failed(holder.error());
  // Killed before it had claimed the device, or after it had given it up: there is nothing to
  // undo, and by now the device may be another's.
  if (!*holder || (*holder)->key != record.key) {
    auto removed = work.store.remove(record);
    return removed ? Undone{} : failed(removed.error());
  }
  if (is_of_another_boot(record, boot_id(work.host))) {
    auto forgotten = forget(work, record, Undone{}, addresses);
    return forgotten ? Undone{} : failed(forgotten.error());
  }
  auto netns = living_netns(work.host, record, hint);
  if (!netns) return failed(netns.error());
  Subject subject{work, record, *netns ? std::make_shared<Pod>(std::move(**netns)) : nullptr};
  auto undone = restore(subject);
  if (undone.left) {
    undone.left = undone.left->in(fmt::format("giving {} back", record.device.name));
    return undone;
  }
  if (auto done = forget(work, record, undone, addresses); !done) {
    undone.left = done.error();
    undone.retry_helps = true;
  }
  return undone;
}

Result<std::optional<host::Netns>> living_netns(host::Host& host, const Record& record,
                                                const std::string& hint) {
  for (const auto& path : {record.netns_path, hint}) {
    if (path.empty()) continue;
    auto netns = host.netns.open(path);
    if (!netns && !is(netns, ErrorCode::not_found)) return pass(netns);
    if (netns && netns->id() == record.netns) return std::optional<host::Netns>(std::move(*netns));
  }
  // No path has it any more; a process may. A look at each process is only worth it where the
  // device is still away, which of a userspace driver's nobody can tell.
  if (record.link || record.moves_rdma()) {
    auto back = is_in_host(host, record);
    if (!back) return pass(back);
    if (*back) return std::nullopt;
  }
  auto netns = host.netns.find(record.netns);
  if (is(netns, ErrorCode::not_found)) return std::nullopt;
  if (!netns) return pass(netns);
  return std::optional<host::Netns>(std::move(*netns));
}

bool is_of_another_boot(const Record& record, const std::string& boot_id) {
  return !record.boot_id.empty() && !boot_id.empty() && record.boot_id != boot_id;
}

Result<bool> is_in_netns(host::Host& host, const host::Netns& netns, const Record& record) {
  if (!record.link) return false;
  const auto& before = record.link->before;
  auto links = host.netns.links(netns);
  if (!links) return pass(links);
  const auto index = record.link->pod_index;
  auto link = !before.parent.empty() ? (*links)->by_parent(before.parent, layer_of(record.kind))
              : index != 0           ? (*links)->by_index(index)
                                     : (*links)->by_name(record.key.ifname);
  if (is(link, ErrorCode::not_found)) return false;
  if (!link) return pass(link);
  return stands_for(*link, record);
}

Result<bool> is_in_host(host::Host& host, const Record& record) {
  // A reset begins with a device that is in the host; until its end it may have no netdev at all.
  if (record.reset == Reset::begun) return true;
  if (record.link) {
    const auto& before = record.link->before;
    if (!before.parent.empty()) {
      auto link = host.links.by_parent(before.parent, layer_of(record.kind));
      if (!link && !is(link, ErrorCode::not_found)) return pass(link);
      // An IPoIB netdev comes back to the host when its RDMA device leaves it, too.
      const bool tells = record.kind != KindName::ib_vf || !record.moves_rdma();
      if (!link || tells) return link.has_value();
      const auto names = rdma_in_host(host, record.device);
      if (is(names, ErrorCode::not_found)) return false;
      return names ? Result<bool>(!names->empty()) : pass(names);
    }
    const auto temporary = temporary_name(record.device);
    for (const auto& name : {before.name, temporary}) {
      auto link = host.links.by_name(name);
      if (!link && !is(link, ErrorCode::not_found)) return pass(link);
      if (!link || link->kind.value_or("") != before.kind) continue;
      if (name == temporary || link->address == before.address) return true;
    }
    return false;
  }
  if (!record.moves_rdma()) return true;
  auto names = rdma_in_host(host, record.device);
  if (is(names, ErrorCode::not_found)) return false;
  if (!names) return pass(names);
  return !names->empty();
}

}  // namespace railhead::attach
