#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/loop.hpp"
#include "plugin/kubelet/pool_server.hpp"
#include "plugin/kubelet/register_call.hpp"
#include "plugin/kubelet/session.hpp"

namespace railhead::kubelet {

// How kubelet learns of a pool.
enum class Mode {
  registry,  // it watches plugins_registry and greets each socket there
  legacy,    // a socket in device-plugins, and Register on kubelet.sock
};

struct KubeletPlace {
  Mode mode;
  std::string folder;          // where the pools' sockets are
  std::string kubelet_socket;  // kubelet's own, in device-plugins
};

// Keeps one pool served and registered. All calls come from the session's thread, the one of
// `loop`; what gRPC's threads report is posted to it.
class PoolRegistration {
 public:
  using TimePoint = Loop::TimePoint;

  // `place`: where kubelet is, as long as that is known; it and the rest outlive this.
  PoolRegistration(std::shared_ptr<PoolService> pool, std::string socket_name,
                   const KubeletSession::Options& options, const std::optional<KubeletPlace>& place,
                   Loop& loop, Logger& logger);
  ~PoolRegistration();  // stops

  // What happened is no failure of the pool's: announce it without delay.
  void announce_soon();
  // Another instance that served the resource has gone, and kubelet has dropped the resource with
  // it or is about to, without a word to those it had replaced.
  void announce_after_other();
  // Serves the pool, where it is not, and makes kubelet aware of it. After a failure it tries again
  // by itself.
  Result<void> announce();

  [[nodiscard]] bool served() const { return server_ && server_->socket_stands(); }
  [[nodiscard]] bool is_due() const { return next_.due().has_value(); }
  [[nodiscard]] const PoolService& pool() const { return *pool_; }
  [[nodiscard]] const std::string& socket_name() const { return socket_name_; }
  void send_devices();

  void begin_stop();  // returns at once

 private:
  [[nodiscard]] Result<void> try_to_announce();
  [[nodiscard]] Result<void> serve(const KubeletPlace& place);
  void call_register(const KubeletPlace& place);
  void answered(const Result<>& answer);
  void watch_opened(int number);
  void watch_closed(int number);
  void nobody_came() const;
  std::chrono::milliseconds retry_later();  // says when

  const std::shared_ptr<PoolService> pool_;
  const std::string resource_;
  const std::string socket_name_;
  const KubeletSession::Options& options_;
  const std::optional<KubeletPlace>& place_;
  Loop& loop_;
  Logger& logger_;

  // Tells what is reported after this has gone; looked at on the session's thread only.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<PoolServer> server_;
  int servings_ = 0;  // tells what a former server reports late
  std::unique_ptr<RegisterCall> call_;
  int attempts_ = 0;  // tells what a former call reports late
  int watches_ = 0;
  int latest_watch_ = 0;             // its number
  TimePoint watched_since_;          // when the latest began
  std::chrono::milliseconds delay_;  // before the next attempt after a failure
  Loop::Timer next_;                 // attempt; not set: all is well or it is kubelet's turn
  Loop::Timer unwatched_;            // set until kubelet watches what is served
};

}  // namespace railhead::kubelet
