#pragma once
// What the records of attachments say of the devices.
#include <string>
#include <vector>

#include "attach/store.hpp"
#include "device/inventory.hpp"
#include "plugin/ledger/holdings.hpp"

namespace railhead::ledger {

struct Attachments {
  std::vector<Attached> attached;
  bool is_moving = false;         // an ADD or DEL is at work on some device: ask again soon
  std::vector<Error> unreadable;  // no records; their devices have trouble where they are known
  friend bool operator==(const Attachments&, const Attachments&) = default;
};

// A device that a pod holds is well; so is one of whose owner nothing is known: a namespace that
// cannot be seen from here is no proof that it is gone. Proof is a device that stands in the host's
// namespace while its record says that it was attached, with nobody at work on it (its lock is
// free): then its undo is not done, and that is its trouble. A device of a userspace driver never
// leaves the host, and is never judged.
//
// Errors: a file that could not be read although it may be right (no descriptors or memory left):
// what was known before holds until it can. No folder is no attachment, as after a boot.
[[nodiscard]] Result<Attachments> read_attachments(const attach::Store& store,
                                                   host::FileLocks& locks,
                                                   const device::Inventory& inventory);

}  // namespace railhead::ledger
