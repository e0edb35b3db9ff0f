#pragma once
// auto link = must(links.by_name("lo"));  The value, or the test fails with the error's text.
#include <catch2/catch_test_macros.hpp>

#include "base/error.hpp"

namespace railhead::test {

template <class T>
T must(Result<T> result) {
  if (!result) FAIL(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace railhead::test
