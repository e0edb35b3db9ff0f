#include "base/error.hpp"

#include <cerrno>
#include <cstring>

namespace railhead {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::already_exists:
      return "already_exists";
    case ErrorCode::busy:
      return "busy";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::permission:
      return "permission";
    case ErrorCode::io:
      return "io";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::decode:
      return "decode";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::internal:
      return "internal";
  }
  return "unknown";
}

Error Error::in(std::string_view who) const {
  Error error = *this;
  error.message = fmt::format("{}: {}", who, message);
  return error;
}

std::string Error::text() const {
  return details.empty() ? message : fmt::format("{}; {}", message, details);
}

ErrorCode code_of_errno(int os_errno) {
  switch (os_errno) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case ESRCH:
      return ErrorCode::not_found;
    case EEXIST:
      return ErrorCode::already_exists;
    case EBUSY:
    case EAGAIN:
      return ErrorCode::busy;
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
    case ENOSYS:
      return ErrorCode::unsupported;
    case EPERM:
    case EACCES:
      return ErrorCode::permission;
    case EINVAL:
    case ERANGE:
    case EADDRNOTAVAIL:
      return ErrorCode::invalid_argument;
    case ETIMEDOUT:
      return ErrorCode::timeout;
    default:
      return ErrorCode::io;
  }
}

std::string errno_text(int os_errno) {
  const char* name = strerrorname_np(os_errno);
  return fmt::format("{} ({})", strerrordesc_np(os_errno) ? strerrordesc_np(os_errno) : "unknown",
                     name ? name : std::to_string(os_errno).c_str());
}

}  // namespace railhead
