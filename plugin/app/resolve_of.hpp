#pragma once
#include "ipc/resolve.hpp"
#include "plugin/ledger/ledger.hpp"

namespace railhead::app {

// Which devices a pod's containers have, by what kubelet lists and has saved since that was asked.
// Pure. All resources are told, those of other device plugins too, with all their ids, and what
// claims gave for networks (ClaimedDevices); not an init container that kubelet does not list (it
// lists sidecars only).
//
// Kubelet's list has the pod's order of containers, and names the pod. Its file has the pod's UID:
// two pods may have one name while the first has not quite ended. So, where the UID is asked for
// and the file has it, what is listed counts as far as the file says the same, and the file alone
// where it does not; where the file has nothing of that UID, devices listed under the name are
// unknown. Without a UID or a file it is unknown while a container is listed twice. That a pod has
// nothing is believed a list of all pods, or one that the file confirms.
[[nodiscard]] ipc::ResolveAnswer resolve_of(const ledger::Ledger::Now& now,
                                            const ipc::ResolveQuestion& question);

}  // namespace railhead::app
