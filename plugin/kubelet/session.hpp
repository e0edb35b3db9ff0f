#pragma once
// This node's pools, served to kubelet over the device plugin API for as long as the session lives.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/log.hpp"
#include "plugin/kubelet/pool_service.hpp"

namespace railhead::kubelet {

// Keeps every pool served and registered, through restarts of kubelet and of other instances of
// this program, until it is stopped. Everything after start() happens on its own threads: kubelet
// may come later, go, and come back.
class KubeletSession {
 public:
  struct Options {
    // The folder that holds device-plugins/ and plugins_registry/.
    std::string kubelet_dir = "/var/lib/kubelet";
    // Tells this instance's sockets from those of another instance on the node; letters, digits,
    // '-' and '_'. Empty: a random one (a process id is 1 in every container).
    std::string instance;
    // Delay before the first new attempt to register; doubled with each failure up to the last.
    std::chrono::milliseconds first_retry{100};
    std::chrono::milliseconds last_retry{30'000};
    // Registered, but kubelet did not open ListAndWatch for so long: register again.
    std::chrono::milliseconds watch_timeout{5'000};
    // Served, but nobody opened ListAndWatch for so long: said in the log.
    std::chrono::milliseconds greet_timeout{30'000};
  };

  using Pools = std::vector<std::shared_ptr<PoolService>>;

  // Serves the pools where kubelet's folders exist, else as soon as they appear. The logger
  // outlives the session. Errors: not_found (no kubelet_dir), invalid_argument (instance), io (no
  // inotify, a socket that cannot be made).
  [[nodiscard]] static Result<std::unique_ptr<KubeletSession>> start(Options options,
                                                                     const Pools& pools,
                                                                     Logger& logger);

  ~KubeletSession();  // stops
  KubeletSession(const KubeletSession&) = delete;
  KubeletSession& operator=(const KubeletSession&) = delete;

  // One more pool, or one less, soon; the other pools' streams stay as they are. A pool that was
  // removed may still be called until the session lets go of it.
  void add(std::shared_ptr<PoolService> pool);
  void remove(const std::shared_ptr<PoolService>& pool);

  // Kubelet gets the pool's devices anew. Cheap, from any thread, also with the pool's own lock
  // held: devices() is called later, on a thread of the session. Changes that come faster than
  // kubelet reads become one update.
  void devices_changed(const PoolService& pool);

  // Whether the session's thread takes its turn within `limit`. From any other thread.
  [[nodiscard]] bool takes_turns(std::chrono::milliseconds limit) const;

  // Ends all streams, removes this instance's sockets, and returns within a second. Not from
  // within a PoolService call. Twice is not an error.
  void stop();

 private:
  class Impl;
  explicit KubeletSession(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace railhead::kubelet
