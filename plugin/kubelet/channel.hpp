#pragma once
#include <memory>
#include <string>

#include <grpcpp/channel.h>

namespace railhead::kubelet {

constexpr int kMaxMessageBytes = 16 << 20;  // far above a list of all device ids of a node

// A channel of its own for each call to kubelet: the pause that gRPC makes after a failed connect
// must not delay the next attempt, which knows of a new kubelet.
std::shared_ptr<grpc::Channel> dial(const std::string& socket);

}  // namespace railhead::kubelet
