#pragma once
// What the records of attachments say of the devices' health.
#include <map>
#include <string>
#include <vector>

#include "attach/store.hpp"
#include "device/inventory.hpp"

namespace railhead::health {

struct Held {
  std::map<PciAddress, std::string> sick;  // devices whose owner is gone and whose undo is not done
  bool is_moving = false;         // an ADD or DEL is at work on some device: ask again soon
  std::vector<Error> unreadable;  // records; their devices are sick where they are known
};

// A device that a pod holds is well; so is one of whose owner nothing is known: a namespace that
// cannot be seen from here is no proof that it is gone. Proof is a device that stands in the
// host's namespace while its record says that it was attached, with nobody at work on it (its lock
// is free). A device of a userspace driver never leaves the host, and is never judged.
[[nodiscard]] Held look_at_records(const attach::Store& store, host::FileLocks& locks,
                                   const device::Inventory& inventory);

}  // namespace railhead::health
