#include "plugin/metrics/memlock.hpp"

#include <sys/resource.h>

namespace railhead::metrics {

std::optional<uint64_t> memlock_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return std::nullopt;
  }
  return limit.rlim_cur;
}

}  // namespace railhead::metrics
