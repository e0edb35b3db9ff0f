#pragma once
// Errors as the CNI protocol tells them: a code, a message and details, as JSON on standard output
// with exit code 1.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

#include "base/error.hpp"

namespace railhead::cnispec {

// The well-known codes (CNI SPEC 1.1.0, section "Error"; 8 and 999 are libcni's own). 3 "container
// unknown" is never used here: it tells the runtime that no DEL is needed. A plugin that we
// delegate to may answer with others.
namespace code {
inline constexpr uint32_t kIncompatibleVersion = 1;
inline constexpr uint32_t kUnknownContainer = 3;
inline constexpr uint32_t kInvalidEnvironment = 4;
inline constexpr uint32_t kIo = 5;
inline constexpr uint32_t kDecode = 6;
inline constexpr uint32_t kInvalidConfig = 7;
inline constexpr uint32_t kInvalidNetns = 8;
inline constexpr uint32_t kTryAgainLater = 11;
inline constexpr uint32_t kNotAvailable = 50;
inline constexpr uint32_t kInternal = 999;
}  // namespace code

struct CniError {
  uint32_t code = code::kInternal;
  std::string message;
  std::string details;  // may be empty

  // The same error, with whom it concerns put in front.
  [[nodiscard]] CniError in(std::string_view who) const;
  // "message; details"
  [[nodiscard]] std::string text() const;

  friend bool operator==(const CniError&, const CniError&) = default;
};

// What a step of a CNI operation gives.
template <class T = void>
using Outcome = tl::expected<T, CniError>;

[[nodiscard]] inline tl::unexpected<CniError> refuse(uint32_t code, std::string message,
                                                     std::string details = {}) {
  return tl::unexpected(CniError{code, std::move(message), std::move(details)});
}
[[nodiscard]] inline tl::unexpected<CniError> refuse(CniError error) {
  return tl::unexpected(std::move(error));
}

// The code that a runtime, or whoever reads its events, can act on: 11 where trying again helps.
CniError to_cni_error(const Error& error);

// {"code", "msg", "details"}, indented by four spaces as the Go plugins do.
std::string to_json(const CniError& error);

}  // namespace railhead::cnispec
