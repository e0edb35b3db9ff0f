#pragma once
// The CNI program's side.
#include <chrono>
#include <string>

#include "ipc/cluster.hpp"
#include "ipc/owner.hpp"
#include "ipc/resolve.hpp"

namespace railhead::ipc {

// Asks the agent that listens at `socket` (ipc::socket_in) who holds the device, which devices the
// pod's containers have, what the cluster has of a network or a pod. `limit` bounds it all:
// connecting, the question, the answer.
//
// Errors: not_found (nobody listens there: no agent serves this node), timeout, unavailable (the
// agent ended meanwhile, or cannot answer), decode (what came is no answer), permission (whoever
// listens there is neither root nor this user, or this user may not connect), invalid_argument (the
// path or the question is too long), io.
[[nodiscard]] Result<OwnerAnswer> ask_owner(const std::string& socket,
                                            const OwnerQuestion& question,
                                            std::chrono::milliseconds limit);
[[nodiscard]] Result<ResolveAnswer> ask_resolve(const std::string& socket,
                                                const ResolveQuestion& question,
                                                std::chrono::milliseconds limit);

[[nodiscard]] Result<NadAnswer> ask_nad(const std::string& socket, const NadQuestion& question,
                                        std::chrono::milliseconds limit);
[[nodiscard]] Result<PodAnswer> ask_pod(const std::string& socket, const PodQuestion& question,
                                        std::chrono::milliseconds limit);

}  // namespace railhead::ipc
