#include "plugin/kubelet/register_call.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "plugin/kubelet/channel.hpp"
#include "plugin/kubelet/messages.hpp"
#include "plugin/kubelet/status.hpp"
#include "proto/deviceplugin.grpc.pb.h"

namespace railhead::kubelet {
namespace {

// Kubelet takes up to 10 s to give up on an endpoint that it cannot dial; its message is worth
// waiting for.
constexpr std::chrono::seconds kDeadline{15};

class Call final : public RegisterCall {
 public:
  explicit Call(const std::string& socket) : stub_(v1beta1::Registration::NewStub(dial(socket))) {}

  ~Call() override {
    context_.TryCancel();
    std::unique_lock lock(mutex_);
    finished_.wait(lock, [this] { return is_finished_; });
  }

  void start(const PoolService& pool, const std::string& endpoint,
             std::function<void(const Result<>&)> done) {
    context_.set_deadline(std::chrono::system_clock::now() + kDeadline);
    request_.set_version(kApiVersion);
    request_.set_resource_name(pool.resource_name());
    request_.set_endpoint(endpoint);
    *request_.mutable_options() = options_of(pool);  // older kubelets never ask for them
    stub_->async()->Register(&context_, &request_, &response_,
                             [this, done = std::move(done)](const grpc::Status& status) {
                               done(status.ok() ? Result<>() : tl::unexpected(error_of(status)));
                               const std::lock_guard lock(mutex_);
                               is_finished_ = true;
                               finished_.notify_all();
                             });
  }

 private:
  std::unique_ptr<v1beta1::Registration::Stub> stub_;
  grpc::ClientContext context_;
  v1beta1::RegisterRequest request_;
  v1beta1::Empty response_;

  std::mutex mutex_;
  std::condition_variable finished_;
  bool is_finished_ = false;
};

}  // namespace

std::unique_ptr<RegisterCall> RegisterCall::start(const std::string& kubelet_socket,
                                                  const PoolService& pool,
                                                  const std::string& endpoint,
                                                  std::function<void(const Result<>&)> done) {
  auto call = std::make_unique<Call>(kubelet_socket);
  call->start(pool, endpoint, std::move(done));
  return call;
}

}  // namespace railhead::kubelet
