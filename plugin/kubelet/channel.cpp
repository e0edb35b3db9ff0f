#include "plugin/kubelet/channel.hpp"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

namespace railhead::kubelet {

std::shared_ptr<grpc::Channel> dial(const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  return grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace railhead::kubelet
