#include "plugin/kubelet/pool_server.hpp"

#include <atomic>
#include <mutex>
#include <optional>
#include <set>

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/un.h>

#include "plugin/kubelet/channel.hpp"
#include "plugin/kubelet/guarded.hpp"
#include "plugin/kubelet/messages.hpp"
#include "plugin/kubelet/socket_file.hpp"
#include "plugin/kubelet/status.hpp"
#include "plugin/kubelet/watch_stream.hpp"
#include "proto/deviceplugin.grpc.pb.h"
#include "proto/pluginregistration.grpc.pb.h"

namespace railhead::kubelet {
namespace {

// Bounds a call that is still running when the server stops.
constexpr std::chrono::milliseconds kStopLimit{500};

grpc::ServerUnaryReactor* answer(grpc::CallbackServerContext* context, const grpc::Status& status) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

class DevicePluginService final : public v1beta1::DevicePlugin::CallbackService {
 public:
  DevicePluginService(PoolService& pool, const PoolServer::Events& events, Logger& logger)
      : pool_(pool), events_(events), logger_(logger) {}

  grpc::ServerUnaryReactor* GetDevicePluginOptions(grpc::CallbackServerContext* context,
                                                   const v1beta1::Empty*,
                                                   v1beta1::DevicePluginOptions* options) override {
    *options = options_of(pool_);
    return answer(context, grpc::Status::OK);
  }

  grpc::ServerWriteReactor<v1beta1::ListAndWatchResponse>* ListAndWatch(
      grpc::CallbackServerContext* context, const v1beta1::Empty*) override {
    const int number = ++watches_;
    auto* stream = new WatchStream(*context, pool_, logger_, [this, number](auto* ended) {
      {
        const std::lock_guard lock(mutex_);
        streams_.erase(ended);
      }
      events_.watch_closed(number);
    });
    {
      const std::lock_guard lock(mutex_);
      streams_.insert(stream);
      if (stopping_) stream->finish(grpc::Status::CANCELLED);
    }
    events_.watch_opened(number);
    stream->begin();  // only now: a change after the look at the devices must find the stream
    return stream;    // which gRPC takes over here: until then it does not end
  }

  grpc::ServerUnaryReactor* GetPreferredAllocation(
      grpc::CallbackServerContext* context, const v1beta1::PreferredAllocationRequest* request,
      v1beta1::PreferredAllocationResponse* response) override {
    for (const auto& container : request->container_requests()) {
      const auto preferred =
          guarded(pool_, "choose from", [&] { return pool_.preferred(request_of(container)); });
      if (!preferred) {
        logger_.error("cannot choose devices",
                      {{"resource", pool_.resource_name()}, {"error", preferred.error().message}});
        return answer(context, status_of(preferred.error()));
      }
      auto& ids = *response->add_container_responses()->mutable_deviceids();
      ids.Assign(preferred->begin(), preferred->end());
    }
    return answer(context, grpc::Status::OK);
  }

  grpc::ServerUnaryReactor* Allocate(grpc::CallbackServerContext* context,
                                     const v1beta1::AllocateRequest* request,
                                     v1beta1::AllocateResponse* response) override {
    for (const auto& container : request->container_requests()) {
      const auto& ids = container.devices_ids();
      auto allocation = guarded(pool_, "allocate from", [&] {
        return pool_.allocate({ids.begin(), ids.end()});
      });
      if (!allocation) {
        logger_.error("allocate failed", {{"resource", pool_.resource_name()},
                                          {"devices", fmt::format("{}", fmt::join(ids, ","))},
                                          {"error", allocation.error().message}});
        return answer(context, status_of(allocation.error()));
      }
      *response->add_container_responses() = message_of(*allocation);
    }
    return answer(context, grpc::Status::OK);
  }

  grpc::ServerUnaryReactor* PreStartContainer(grpc::CallbackServerContext* context,
                                              const v1beta1::PreStartContainerRequest* request,
                                              v1beta1::PreStartContainerResponse*) override {
    const auto& ids = request->devices_ids();
    const auto started = guarded(pool_, "start with", [&] {
      return pool_.pre_start({ids.begin(), ids.end()});
    });
    if (!started) {
      logger_.error("a container must not start",
                    {{"resource", pool_.resource_name()},
                     {"devices", fmt::format("{}", fmt::join(ids, ","))},
                     {"error", started.error().message}});
      return answer(context, status_of(started.error()));
    }
    return answer(context, grpc::Status::OK);
  }

  void send_devices() {
    const std::lock_guard lock(mutex_);
    for (auto* stream : streams_) stream->update();
  }

  void end_streams() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto* stream : streams_) stream->finish(grpc::Status::CANCELLED);
  }

 private:
  PoolService& pool_;
  const PoolServer::Events& events_;
  Logger& logger_;

  std::atomic<int> watches_ = 0;
  std::mutex mutex_;  // a stream leaves the set before it goes
  std::set<WatchStream*> streams_;
  bool stopping_ = false;
};

class GreetingService final : public pluginregistration::Registration::CallbackService {
 public:
  GreetingService(PoolService& pool, const PoolServer::Events& events)
      : pool_(pool), events_(events) {}

  grpc::ServerUnaryReactor* GetInfo(grpc::CallbackServerContext* context,
                                    const pluginregistration::InfoRequest*,
                                    pluginregistration::PluginInfo* info) override {
    info->set_type("DevicePlugin");
    info->set_name(pool_.resource_name());
    // No endpoint: the plugin is served on the socket that kubelet is calling, whatever its path
    // is called on kubelet's side of a mount.
    info->add_supported_versions(kApiVersion);
    return answer(context, grpc::Status::OK);
  }

  grpc::ServerUnaryReactor* NotifyRegistrationStatus(
      grpc::CallbackServerContext* context, const pluginregistration::RegistrationStatus* status,
      pluginregistration::RegistrationStatusResponse*) override {
    if (status->plugin_registered()) {
      events_.greeted({});
    } else {
      events_.greeted(fail(ErrorCode::invalid_argument, "{}", status->error()));
    }
    return answer(context, grpc::Status::OK);
  }

 private:
  PoolService& pool_;
  const PoolServer::Events& events_;
};

class Server final : public PoolServer {
 public:
  Server(PoolService& pool, Events events, Logger& logger)
      : events_(std::move(events)),
        device_plugin_(pool, events_, logger),
        greeting_(pool, events_) {}

  ~Server() override {
    if (!server_) return;
    begin_stop();
    server_->Shutdown(*stopped_by_);
  }

  Result<void> listen(const std::string& folder, const std::string& socket_name) {
    const std::string path = folder + '/' + socket_name;
    const std::string hidden = folder + "/." + socket_name;
    if (hidden.size() >= sizeof(sockaddr_un::sun_path)) {
      return fail(ErrorCode::invalid_argument, "socket path {} is longer than {} bytes", path,
                  sizeof(sockaddr_un::sun_path) - 2);
    }
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + hidden, grpc::InsecureServerCredentials());
    builder.RegisterService(&device_plugin_);
    builder.RegisterService(&greeting_);
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    server_ = builder.BuildAndStart();
    if (!server_) return fail(ErrorCode::io, "cannot listen on {}", hidden);
    auto file = SocketFile::publish(hidden, path);
    if (!file) return pass(file);
    file_.emplace(std::move(*file));
    return {};
  }

  bool socket_stands() const override { return file_ && file_->stands(); }
  void send_devices() override { device_plugin_.send_devices(); }
  void begin_stop() override {
    if (!stopped_by_) stopped_by_ = std::chrono::system_clock::now() + kStopLimit;
    file_.reset();
    device_plugin_.end_streams();
  }

 private:
  const Events events_;
  DevicePluginService device_plugin_;
  GreetingService greeting_;
  std::unique_ptr<grpc::Server> server_;
  std::optional<SocketFile> file_;
  std::optional<std::chrono::system_clock::time_point> stopped_by_;  // as begin_stop() set it
};

}  // namespace

Result<std::unique_ptr<PoolServer>> PoolServer::serve(PoolService& pool, const std::string& folder,
                                                      const std::string& socket_name, Events events,
                                                      Logger& logger) {
  auto server = std::make_unique<Server>(pool, std::move(events), logger);
  if (auto listening = server->listen(folder, socket_name); !listening) return pass(listening);
  return server;
}

}  // namespace railhead::kubelet
