#include "plugin/ledger/attachments.hpp"

#include <algorithm>

namespace railhead::ledger {
namespace {

// Whether the netdev or an RDMA device that was moved to the pod stands in the host.
template <class Device>
bool has_returned(const attach::Record& record, const Device& device) {
  if (record.link) return !device.netdevs.empty();
  return record.moves_rdma() &&
         std::ranges::any_of(device.rdma, [](const auto& one) { return one.in_host_namespace; });
}

bool is_in_host(const attach::Record& record, const device::Inventory& inventory) {
  if (const auto address = record.device.pci()) {
    const auto* function = inventory.find(*address);
    return function && has_returned(record, *function);
  }
  for (const auto& function : inventory.functions()) {
    for (const auto& one : function.sub_functions) {
      if (one.name == record.device.name) return has_returned(record, one);
    }
  }
  return false;
}

// The devices of records that cannot be read are told by their claims, which name their records.
Result<void> add_unreadable(const attach::Store& store, const device::Inventory& inventory,
                            Attachments& all) {
  std::vector<device::DeviceId> devices;
  for (const auto& function : inventory.functions()) {
    devices.emplace_back(function.address);
    for (const auto& one : function.sub_functions) {
      devices.emplace_back(device::DeviceId::Kind::auxiliary, one.name);
    }
  }
  for (const auto& device : devices) {
    const auto owner = store.owner(device);
    if (owner) continue;
    if (!is(owner, ErrorCode::decode)) return pass(owner);
    all.attached.push_back(
        {device.name, "",
         fmt::format(
             "whether a pod holds it is not known: {}; once none does, remove that link and "
             "the record that it names",
             owner.error().message)});
  }
  return {};
}

}  // namespace

Result<Attachments> read_attachments(const attach::Store& store, host::FileLocks& locks,
                                     const device::Inventory& inventory) {
  Attachments all;
  auto listing = store.list();
  if (!listing) return pass(listing);
  all.unreadable = std::move(listing->unreadable);
  const auto failed = std::ranges::find_if(
      all.unreadable, [](const Error& error) { return error.code != ErrorCode::decode; });
  if (failed != all.unreadable.end()) return Failure(*failed);
  if (!all.unreadable.empty()) {
    if (auto added = add_unreadable(store, inventory, all); !added) return pass(added);
  }
  for (const auto& record : listing->records) {
    auto& attached = all.attached.emplace_back();
    attached.device = record.device.name;
    attached.pod = record.pod;
    if (record.undo && record.undo->quarantined) {
      attached.trouble = fmt::format("it is in quarantine, {} is gone and it is not as it was: {}",
                                     attach::describe(record), record.undo->reason);
      continue;
    }
    if (!is_in_host(record, inventory)) continue;
    const auto lock = locks.lock(store.device_lock(record.device), std::chrono::milliseconds(0));
    if (!lock) {
      all.is_moving |= is(lock, ErrorCode::timeout);
      continue;
    }
    // With the lock in hand: a DEL may have removed it meanwhile.
    const auto still = store.load(record.key);
    if (!still) return pass(still);
    if (!*still) {
      all.attached.pop_back();
      continue;
    }
    attached.trouble = fmt::format(
        "{} is gone and what it changed is not undone yet; DEL or GC of it frees the device",
        attach::describe(record));
  }
  return all;
}

}  // namespace railhead::ledger
