#pragma once
#include <utility>

#include "base/error.hpp"

namespace railhead::ipam {

// For what a configuration says that cannot be.
template <class... Args>
[[nodiscard]] Failure refuse(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::invalid_argument, format, std::forward<Args>(args)...);
}

}  // namespace railhead::ipam
