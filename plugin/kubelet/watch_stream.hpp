#pragma once
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "base/log.hpp"
#include "plugin/kubelet/pool_service.hpp"
#include "proto/deviceplugin.pb.h"

namespace railhead::kubelet {

// One ListAndWatch: sends the pool's devices at begin() and after each update(). One message is on
// its way at a time; updates that come meanwhile become one. Deletes itself when gRPC is done.
class WatchStream final : public grpc::ServerWriteReactor<v1beta1::ListAndWatchResponse> {
 public:
  // `closed` is the last that is called, on a thread of gRPC.
  WatchStream(grpc::CallbackServerContext& context, PoolService& pool, Logger& logger,
              std::function<void(WatchStream*)> closed);

  void begin();
  void update();
  void finish(const grpc::Status& status);

 private:
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void send_if_changed();

  grpc::CallbackServerContext& context_;
  PoolService& pool_;
  Logger& logger_;
  std::function<void(WatchStream*)> closed_;
  v1beta1::ListAndWatchResponse response_;         // on its way: gRPC reads it until OnWriteDone
  std::chrono::steady_clock::time_point started_;  // of the message on its way

  std::mutex mutex_;
  bool changed_ = true;
  bool sending_ = false;             // from before devices() is asked until OnWriteDone
  std::optional<grpc::Status> end_;  // Finish comes when nothing is being sent, and once
};

}  // namespace railhead::kubelet
