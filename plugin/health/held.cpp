#include "plugin/health/held.hpp"

namespace railhead::health {
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

}  // namespace

Held look_at_records(const attach::Store& store, host::FileLocks& locks,
                     const device::Inventory& inventory) {
  Held held;
  auto listing = store.list();
  if (!listing) {
    held.unreadable.push_back(listing.error());
    return held;
  }
  held.unreadable = std::move(listing->unreadable);
  if (!held.unreadable.empty()) {
    // Whose devices they are is told by the claims, which name their records.
    for (const auto& function : inventory.functions()) {
      const auto owner = store.owner(function.address);
      if (owner) continue;
      held.sick[function.address] = fmt::format(
          "whether a pod holds it is not known: {}; once none does, remove that link and the "
          "record that it names",
          owner.error().message);
    }
  }
  for (const auto& record : listing->records) {
    const auto* function = inventory.find(record.device);
    if (!function || !is_in_host(record, *function)) continue;
    const auto lock = locks.lock(store.device_lock(record.device), std::chrono::milliseconds(0));
    if (!lock) {
      held.is_moving = held.is_moving || is(lock, ErrorCode::timeout);
      continue;
    }
    // With the lock in hand: a DEL may have removed it meanwhile.
    const auto still = store.load(record.key);
    if (!still || !*still) continue;
    held.sick[record.device] = fmt::format(
        "{} is gone and what it changed is not undone yet; DEL or GC of it frees the "
        "device",
        attach::describe(record.key, record.pod));
  }
  return held;
}

}  // namespace railhead::health
