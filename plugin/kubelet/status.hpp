#pragma once
// The one place where our errors become gRPC's and gRPC's become ours.
#include <grpcpp/support/status.h>

#include "base/error.hpp"

namespace railhead::kubelet {

// The message goes out as it is: kubelet shows it on the pod.
grpc::Status status_of(const Error& error);

// For a status that is not OK.
Error error_of(const grpc::Status& status);

}  // namespace railhead::kubelet
