#include "attach/guid_pool.hpp"

#include "attach/parts/ib.hpp"
#include "base/hash.hpp"

namespace railhead::attach {
namespace {

void add(Guids& guids, const std::optional<Guid>& guid) {
  if (guid) guids.insert(guid->value);
}

}  // namespace

Result<Guids> guids_in_force(host::Host& host) {
  Guids guids;
  const auto devices = host.rdma.list();
  if (!devices) return pass(devices, "RDMA devices");
  for (const auto& device : *devices) add(guids, device.node_guid);
  const auto links = host.links.list();
  if (!links) return pass(links, "netdevs");
  for (const auto& link : *links) add(guids, ib::port_guid_of(link.address));
  return guids;
}

Result<Guids> guids_on_record(const Store& store) {
  const auto listing = store.list();
  if (!listing) return pass(listing);
  if (!listing->unreadable.empty()) {
    return Failure(listing->unreadable.front().in("which GUIDs of guidPool are free is not known"));
  }
  Guids guids;
  for (const auto& record : listing->records) {
    if (record.link) add(guids, ib::port_guid_of(record.link->before.address));
    if (!record.vf) continue;
    for (const auto* attributes : {&record.vf->asked, &record.vf->before}) {
      add(guids, attributes->node_guid);
      add(guids, attributes->port_guid);
    }
  }
  return guids;
}

Result<Guid> choose_guid(const GuidRange& range, const Guids& used, const AttachmentKey& key) {
  const auto count = range.count();
  const auto start = fnv1a(key.container_id + '/' + key.ifname) % count;
  for (uint64_t i = 0; i < count && i <= used.size(); ++i) {
    const Guid guid{range.first.value + (start + i) % count};
    if (!used.contains(guid.value)) return guid;
  }
  return fail(ErrorCode::unavailable, "guidPool {}: all its {} GUIDs are given", range.to_string(),
              count);
}

}  // namespace railhead::attach
