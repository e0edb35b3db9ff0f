#include "attach/guid_pool.hpp"

#include <set>

#include "base/hash.hpp"

namespace railhead::attach {

Result<Guid> choose_guid(const Store& store, const GuidRange& range, const std::vector<Guid>& taken,
                         const AttachmentKey& key) {
  const auto listing = store.list();
  if (!listing) return pass(listing);
  if (!listing->unreadable.empty()) {
    auto error = listing->unreadable.front();
    return Failure(error.in("which GUIDs of guidPool are free is not known"));
  }
  std::set<uint64_t> given;
  for (const auto& guid : taken) given.insert(guid.value);
  for (const auto& record : listing->records) {
    if (!record.vf) continue;
    for (const auto& guid : {record.vf->asked.node_guid, record.vf->asked.port_guid}) {
      if (guid) given.insert(guid->value);
    }
  }
  const auto count = range.count();
  const auto start = fnv1a(key.container_id + '/' + key.ifname) % count;
  for (uint64_t i = 0; i < count && i <= given.size(); ++i) {
    const Guid guid{range.first.value + (start + i) % count};
    if (!given.contains(guid.value)) return guid;
  }
  return fail(ErrorCode::unavailable, "guidPool {}: all its {} GUIDs are given", range.to_string(),
              count);
}

}  // namespace railhead::attach
