#include "plugin/kubelet/register_call.hpp"

#include <chrono>

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "plugin/kubelet/messages.hpp"
#include "plugin/kubelet/status.hpp"
#include "proto/deviceplugin.grpc.pb.h"

namespace railhead::kubelet {
namespace {

// Kubelet takes up to 10 s to give up on an endpoint that it cannot dial; its message is worth
// waiting for.
constexpr std::chrono::seconds kDeadline{15};

// A channel for each call: the pause that gRPC makes after a failed connect must not delay the
// next attempt, which knows of a new kubelet.
std::shared_ptr<grpc::Channel> dial(const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  return grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
}

struct Call final : RegisterCall {
  explicit Call(const std::string& socket) : stub(v1beta1::Registration::NewStub(dial(socket))) {}
  void cancel() override { context.TryCancel(); }

  std::unique_ptr<v1beta1::Registration::Stub> stub;
  grpc::ClientContext context;
  v1beta1::RegisterRequest request;
  v1beta1::Empty response;
};

}  // namespace

std::shared_ptr<RegisterCall> register_pool(const std::string& kubelet_socket,
                                            const std::string& resource_name,
                                            const std::string& endpoint,
                                            std::function<void(Result<>)> done) {
  auto call = std::make_shared<Call>(kubelet_socket);
  call->context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  call->request.set_version(kApiVersion);
  call->request.set_resource_name(resource_name);
  call->request.set_endpoint(endpoint);
  call->request.mutable_options();  // older kubelets take them from here and never ask for them
  auto* pending = call.get();
  pending->stub->async()->Register(
      &pending->context, &pending->request, &pending->response,
      [call, done = std::move(done)](const grpc::Status& status) {
        done(status.ok() ? Result<>() : tl::unexpected(error_of(status)));
      });
  return call;
}

}  // namespace railhead::kubelet
