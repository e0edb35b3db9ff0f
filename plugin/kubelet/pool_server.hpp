#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "base/log.hpp"
#include "plugin/kubelet/pool_service.hpp"

namespace railhead::kubelet {

// A pool's gRPC server on a socket of its own, until it is stopped. It speaks the device plugin
// API, and the greeting that kubelet expects of sockets in plugins_registry.
class PoolServer {
 public:
  // Called on threads of gRPC.
  struct Events {
    std::function<void(int)> watch_opened;  // kubelet called ListAndWatch: the how manyth time
    std::function<void(int)> watch_closed;  // and that one ended
    std::function<void(Result<>)> greeted;  // what kubelet says of the pool it found by itself
  };

  // Serves on `folder`/`socket_name`; the file appears when all is ready to be called.
  [[nodiscard]] static Result<std::unique_ptr<PoolServer>> serve(PoolService& pool,
                                                                 const std::string& folder,
                                                                 const std::string& socket_name,
                                                                 Events events, Logger& logger);
  virtual ~PoolServer() = default;  // stops

  [[nodiscard]] virtual bool socket_stands() const = 0;
  virtual void send_devices() = 0;

  // Removes the socket and tells the streams to end; returns at once.
  virtual void begin_stop() = 0;
};

}  // namespace railhead::kubelet
