#pragma once
#include <memory>
#include <string>

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include "test/support/kubelet/device_manager.hpp"

namespace railhead::test {

// A connection of its own to a plugin's socket, with the :authority that this kubelet sends.
std::shared_ptr<grpc::Channel> plugin_channel(const std::string& socket, KubeletVersion version);

// "rpc error: code = Unknown desc = …", as kubelet shows a plugin's error.
std::string go_text(const grpc::Status& status);

}  // namespace railhead::test
