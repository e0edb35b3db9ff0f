#pragma once
// Recoverable failure is a value: Result<T> carries either a T or an Error that says what went
// wrong, and each layer that passes it on adds who was concerned.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <tl/expected.hpp>

namespace railhead {

// What a caller can do about an error; the text is for people.
enum class ErrorCode {
  invalid_argument,  // the caller's input is wrong: name the place, the value, what was expected
  not_found,         // the thing asked for does not exist
  already_exists,    // a name or an object is taken
  busy,              // held by somebody else; trying again later may help
  unsupported,       // the kernel, driver or device cannot do this
  permission,        // not allowed
  io,                // reading, writing or talking to the kernel failed
  timeout,           // a bounded wait ended
  decode,            // bytes or text that do not follow their format
  unavailable,       // a service that is needed is not there yet; try again later
  internal,          // a bug in this program
};

std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::internal;
  int os_errno = 0;  // errno where a system call failed, else 0
  std::string message;
  // A module's own word for why, a literal, for callers that answer in somebody else's words; most
  // errors have none.
  std::string_view reason = {};
  // A code and details in the words of a protocol (CNI's), for who answers in it; 0: the code that
  // fits `code`.
  uint32_t cni_code = 0;
  std::string details = {};

  // The same error, with whom it concerns put in front: "VF 0000:3b:00.2: <message>".
  [[nodiscard]] Error in(std::string_view who) const;
  // "message; details"
  [[nodiscard]] std::string text() const;

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T = void>
using Result = tl::expected<T, Error>;
using Failure = tl::unexpected<Error>;

// return fail(ErrorCode::invalid_argument, "vlan {}: expected 0-4094", vlan);
template <class... Args>
[[nodiscard]] Failure fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return Failure(Error{code, 0, fmt::format(format, std::forward<Args>(args)...), {}});
}

// The ErrorCode that fits an errno value.
ErrorCode code_of_errno(int os_errno);

// The text of an errno value with its name, "No such device (ENODEV)".
std::string errno_text(int os_errno);

// return fail_errno(errno, "open {}", path);   ->  "open /sys/x: No such file or directory
// (ENOENT)"
template <class... Args>
[[nodiscard]] Failure fail_errno(int os_errno, fmt::format_string<Args...> format, Args&&... args) {
  return Failure(Error{
      code_of_errno(os_errno),
      os_errno,
      fmt::format("{}: {}", fmt::format(format, std::forward<Args>(args)...), errno_text(os_errno)),
      {}});
}

// Passes the error of a failed result on, optionally with whom it concerns:
//   if (!link) return pass(link, "PF of 0000:3b:00.2");
template <class T>
[[nodiscard]] Failure pass(const Result<T>& failed) {
  return Failure(failed.error());
}
template <class T>
[[nodiscard]] Failure pass(const Result<T>& failed, std::string_view who) {
  return Failure(failed.error().in(who));
}

// The error, if any, that a structure carries beside other things, as a result.
[[nodiscard]] inline Result<> as_result(const std::optional<Error>& error) {
  if (error) return Failure(*error);
  return {};
}

template <class T>
[[nodiscard]] bool is(const Result<T>& result, ErrorCode code) {
  return !result && result.error().code == code;
}

}  // namespace railhead
