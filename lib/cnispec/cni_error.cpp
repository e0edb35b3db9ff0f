#include "cnispec/cni_error.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cnispec/json_text.hpp"

namespace railhead::cnispec {
namespace {

uint32_t code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::busy:
    case ErrorCode::unavailable:
    case ErrorCode::timeout:
      return code::kTryAgainLater;
    case ErrorCode::invalid_argument:
      return code::kInvalidConfig;
    case ErrorCode::decode:
      return code::kDecode;
    case ErrorCode::io:
      return code::kIo;
    case ErrorCode::not_found:
    case ErrorCode::already_exists:
    case ErrorCode::unsupported:
    case ErrorCode::permission:
    case ErrorCode::internal:
      break;
  }
  return code::kInternal;
}

}  // namespace

CniError CniError::in(std::string_view who) const {
  return CniError{code, fmt::format("{}: {}", who, message), details};
}

std::string CniError::text() const {
  return details.empty() ? message : fmt::format("{}; {}", message, details);
}

CniError to_cni_error(const Error& error) {
  return CniError{code_of(error.code), error.message, {}};
}

std::string to_json(const CniError& error) {
  nlohmann::ordered_json json = {{"code", error.code}, {"msg", error.message}};
  if (!error.details.empty()) json["details"] = error.details;
  return json_text(json);
}

}  // namespace railhead::cnispec
