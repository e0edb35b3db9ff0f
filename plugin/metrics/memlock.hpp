#pragma once
#include <cstdint>
#include <optional>

namespace railhead::metrics {

// How much memory a process may lock (RLIMIT_MEMLOCK, soft), in bytes; nothing: as much as it
// likes. A container gets the runtime's limit, so this program's own is what the node's pods get.
[[nodiscard]] std::optional<uint64_t> memlock_limit();

}  // namespace railhead::metrics
