#include "plugin/kubelet/status.hpp"

#include <array>

namespace railhead::kubelet {
namespace {

struct Pair {
  ErrorCode ours;
  grpc::StatusCode theirs;
};

// From a gRPC code back, the first row that has it counts.
constexpr std::array kCodes = {
    Pair{ErrorCode::invalid_argument, grpc::StatusCode::INVALID_ARGUMENT},
    Pair{ErrorCode::not_found, grpc::StatusCode::NOT_FOUND},
    Pair{ErrorCode::already_exists, grpc::StatusCode::ALREADY_EXISTS},
    Pair{ErrorCode::busy, grpc::StatusCode::FAILED_PRECONDITION},
    Pair{ErrorCode::unsupported, grpc::StatusCode::UNIMPLEMENTED},
    Pair{ErrorCode::permission, grpc::StatusCode::PERMISSION_DENIED},
    Pair{ErrorCode::io, grpc::StatusCode::UNKNOWN},
    Pair{ErrorCode::timeout, grpc::StatusCode::DEADLINE_EXCEEDED},
    Pair{ErrorCode::decode, grpc::StatusCode::DATA_LOSS},
    Pair{ErrorCode::unavailable, grpc::StatusCode::UNAVAILABLE},
    Pair{ErrorCode::internal, grpc::StatusCode::INTERNAL},
};

}  // namespace

grpc::Status status_of(const Error& error) {
  for (const auto& [ours, theirs] : kCodes) {
    if (ours == error.code) return {theirs, error.message};
  }
  return {grpc::StatusCode::UNKNOWN, error.message};
}

Error error_of(const grpc::Status& status) {
  for (const auto& [ours, theirs] : kCodes) {
    if (theirs == status.error_code()) return Error{ours, 0, status.error_message()};
  }
  return Error{ErrorCode::io, 0, status.error_message()};
}

}  // namespace railhead::kubelet
