#pragma once
#include <exception>
#include <type_traits>

#include "base/error.hpp"
#include "plugin/kubelet/pool_service.hpp"

namespace railhead::kubelet {

// `work`, which returns a Result. An exception is a bug of the pool; it becomes an error
// (internal), as it must not end gRPC's thread.
template <class Work>
std::invoke_result_t<Work> guarded(const PoolService& pool, const char* what, Work work) {
  try {
    return work();
  } catch (const std::exception& bug) {
    return fail(ErrorCode::internal, "{} {}: {}", what, pool.resource_name(), bug.what());
  }
}

}  // namespace railhead::kubelet
