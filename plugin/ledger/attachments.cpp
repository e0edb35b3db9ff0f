#include "plugin/ledger/attachments.hpp"

namespace railhead::ledger {
namespace {

// Whether the netdev or an RDMA device that was moved to the pod stands in the host.
bool is_in_host(const attach::Record& record, const device::PciFunction& function) {
  if (record.link) return !function.netdevs.empty();
  if (!record.moves_rdma || record.rdma.empty()) return false;
  for (const auto& rdma : function.rdma) {
    if (rdma.in_host_namespace) return true;
  }
  return false;
}

// The devices of records that cannot be read are told by their claims, which name their records.
void add_unreadable(const attach::Store& store, const device::Inventory& inventory,
                    Attachments& all) {
  for (const auto& function : inventory.functions()) {
    const auto owner = store.owner(function.address);
    if (owner) continue;
    all.attached.push_back(
        {function.address.to_string(), "",
         fmt::format(
             "whether a pod holds it is not known: {}; once none does, remove that link and "
             "the record that it names",
             owner.error().message)});
  }
}

}  // namespace

Attachments read_attachments(const attach::Store& store, host::FileLocks& locks,
                             const device::Inventory& inventory) {
  Attachments all;
  auto listing = store.list();
  if (!listing) {
    all.unreadable.push_back(listing.error());
    return all;
  }
  all.unreadable = std::move(listing->unreadable);
  if (!all.unreadable.empty()) add_unreadable(store, inventory, all);
  for (const auto& record : listing->records) {
    auto& attached = all.attached.emplace_back();
    attached.device = record.device.to_string();
    attached.pod = record.pod;
    const auto* function = inventory.find(record.device);
    if (!function || !is_in_host(record, *function)) continue;
    const auto lock = locks.lock(store.device_lock(record.device), std::chrono::milliseconds(0));
    if (!lock) {
      all.is_moving |= is(lock, ErrorCode::timeout);
      continue;
    }
    // With the lock in hand: a DEL may have removed it meanwhile.
    const auto still = store.load(record.key);
    if (!still || !*still) {
      all.attached.pop_back();
      continue;
    }
    attached.trouble = fmt::format(
        "{} is gone and what it changed is not undone yet; DEL or GC of it frees the device",
        attach::describe(record.key, record.pod));
  }
  return all;
}

}  // namespace railhead::ledger
