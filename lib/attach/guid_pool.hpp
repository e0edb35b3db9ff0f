#pragma once
// GUIDs for the InfiniBand VFs of a node where no ib-kubernetes gives them: of a range that is the
// node's alone.
#include "attach/store.hpp"
#include "base/guid.hpp"

namespace railhead::attach {

// One of the range that no attachment on record has, nor `taken`. Where the search begins the
// attachment's key says: one that was given back is not the next one's at once, for which the
// subnet manager has paths yet, and an ADD that is tried again gets the same.
// Errors: unavailable (all are given), decode (a record that cannot be read may have any of them).
[[nodiscard]] Result<Guid> choose_guid(const Store& store, const GuidRange& range,
                                       const std::vector<Guid>& taken, const AttachmentKey& key);

}  // namespace railhead::attach
