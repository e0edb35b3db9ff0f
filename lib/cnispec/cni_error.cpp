#include "cnispec/cni_error.hpp"

#include <nlohmann/json.hpp>

#include "cnispec/json_text.hpp"

namespace railhead::cnispec {
namespace {

uint32_t code_for(ErrorCode code) {
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

ErrorCode meaning_of(uint32_t code) {
  switch (code) {
    case code::kIncompatibleVersion:
      return ErrorCode::unsupported;
    case code::kUnknownContainer:
      return ErrorCode::not_found;
    case code::kInvalidEnvironment:
    case code::kInvalidConfig:
    case code::kInvalidNetns:
      return ErrorCode::invalid_argument;
    case code::kIo:
      return ErrorCode::io;
    case code::kDecode:
      return ErrorCode::decode;
    case code::kTryAgainLater:
    case code::kNotAvailable:
      return ErrorCode::unavailable;
    default:
      return ErrorCode::internal;
  }
}

}  // namespace

Error cni_error(uint32_t code, std::string message, std::string details) {
  return Error{meaning_of(code), 0, std::move(message), {}, code, std::move(details)};
}

uint32_t code_of(const Error& error) {
  return error.cni_code != 0 ? error.cni_code : code_for(error.code);
}

std::string to_json(const Error& error) {
  nlohmann::ordered_json json = {{"code", code_of(error)}, {"msg", error.message}};
  if (!error.details.empty()) json["details"] = error.details;
  return json_text(json);
}

}  // namespace railhead::cnispec
