#pragma once
#include "ipc/owner.hpp"
#include "plugin/ledger/holdings.hpp"

namespace railhead::app {

// The ledger's answer to whoever is about to attach a device. Pure.
//
// Of several that hold it, the one that is named is the one for whom it is asked; else none, as
// long as one of them is not known, who may be that one; else the one by whose word most is known.
// What the ledger does not keep by its name, neither a PCI function nor a sub-function, is unknown.
[[nodiscard]] ipc::OwnerAnswer owner_of(const ledger::Holdings& holdings,
                                        const ipc::OwnerQuestion& question);

}  // namespace railhead::app
