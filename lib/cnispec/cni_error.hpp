#pragma once
// Errors as the CNI protocol tells them: a code, a message and details, as JSON on standard output
// with exit code 1.
#include <cstdint>
#include <string>
#include <utility>

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

// An error with a code of the protocol, for what fail() cannot say: a code that no ErrorCode stands
// for, or details.
Error cni_error(uint32_t code, std::string message, std::string details = {});
[[nodiscard]] inline Failure fail_cni(uint32_t code, std::string message,
                                      std::string details = {}) {
  return Failure(cni_error(code, std::move(message), std::move(details)));
}

// The error's own code of the protocol, else the one that a runtime, or whoever reads its events,
// can act on: 11 where trying again helps.
uint32_t code_of(const Error& error);

// {"code", "msg", "details"}, indented by four spaces as the Go plugins do.
std::string to_json(const Error& error);

}  // namespace railhead::cnispec
