#pragma once
// The unix socket between the agent and the CNI program.
#include <string>

#include <sys/types.h>
#include <sys/un.h>

#include "base/error.hpp"

namespace railhead::ipc {

// Where the agent that serves a node listens. `run`: the folder of this boot's records, which is
// root's alone.
[[nodiscard]] std::string socket_in(const std::string& run);

// Errors: invalid_argument (longer than such an address can be).
[[nodiscard]] Result<sockaddr_un> to_address(const std::string& path);

// Whom either side talks to: root, or who it runs as itself.
[[nodiscard]] bool is_trusted(uid_t peer, uid_t own);
// Whether the peer of a connected socket is one of them, as the kernel says. Errors: permission,
// io.
[[nodiscard]] Result<void> check_peer(int socket);

}  // namespace railhead::ipc
