#pragma once
// GUIDs for the InfiniBand VFs of a node where no ib-kubernetes gives them: of a range that is the
// node's alone.
#include <set>

#include "attach/store.hpp"
#include "base/guid.hpp"
#include "host/host.hpp"

namespace railhead::attach {

using Guids = std::set<uint64_t>;

// Those of RDMA devices and IPoIB netdevs in the host: also of VFs that nobody has.
[[nodiscard]] Result<Guids> guids_in_force(host::Host& host);
// Those that attachments were given, or have kept, and those that they are to give back. decode: a
// record that cannot be read may have any.
[[nodiscard]] Result<Guids> guids_on_record(const Store& store);

// One of the range that is not in `used`. Where the search begins the attachment's key says: one
// that was given back is not the next one's at once, for which the subnet manager has paths yet,
// and an ADD that is tried again gets the same. unavailable: all are used.
[[nodiscard]] Result<Guid> choose_guid(const GuidRange& range, const Guids& used,
                                       const AttachmentKey& key);

}  // namespace railhead::attach
