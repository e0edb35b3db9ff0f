#pragma once
#include <cstddef>

#include "plugin/ledger/holdings.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::pool {

// What kubelet takes as one message: gRPC's limit of what is received, which kubelet leaves as it
// is (grpc-go's defaultClientMaxReceiveMessageSize). A longer list ends the stream each time.
constexpr size_t kMaxListBytes = 4 * 1024 * 1024;

// The bytes of a ListAndWatch message of these offers while all of them are unhealthy, which is the
// longer word.
[[nodiscard]] size_t list_bytes(const std::vector<Offer>& offers);

// Those that kubelet is told of: all, or as many as such a message has room for. What pods have
// comes first, then the lowest shares of each device. Which ones are left out does not depend on
// their health.
[[nodiscard]] std::vector<Offer> offers_told(const Pool& pool, const ledger::Holdings& holdings);
// How many are left out, whoever has what.
[[nodiscard]] size_t count_untold(const Pool& pool);

// How many shares of each of the pool's devices such a message has room for.
[[nodiscard]] uint32_t most_shares_per_device(const Pool& pool);

}  // namespace railhead::pool
