#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/loop.hpp"
#include "host/folder_watch.hpp"
#include "ipc/pod_news.hpp"
#include "plugin/kube/cluster.hpp"
#include "plugin/metrics/metrics.hpp"

namespace railhead::app {

// What the CNI program has to tell the cluster of pods (ipc/pod_news.hpp): from its folder to the
// API server. A file is removed once its pod's network-status is written, or can never be. On the
// loop.
class Delivery {
 public:
  struct Options {
    std::string folder;
    std::string sysfs;          // where it is mounted
    std::string devinfo;        // folder of device-info files
    bool tells_claims = false;  // too, what networks did with their devices
  };
  // Called for each pod that has started, with its UID in the API, once the cluster knows of its
  // networks.
  using Started = std::function<void(const ipc::PodNews& pod, const std::string& uid)>;
  // All outlives it.
  Delivery(Options options, Loop& loop, const Clock& clock, kube::Cluster& cluster,
           metrics::Metrics& metrics, Logger& log, Started started);

  void start();
  void stop();
  // Why nothing is delivered: "" while it is.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  // Time (ns) and inode of a file: two that are written at once have the same time.
  using Stamp = std::pair<int64_t, uint64_t>;
  [[nodiscard]] Result<void> watch();
  void read();
  void pass_on(const std::string& file, Stamp stamp);
  [[nodiscard]] bool may_wait(const std::string& file);
  void told(const std::string& file, const std::string& text);
  void drop_what_is_gone(const std::vector<std::string>& names);

  const Options options_;
  Loop& loop_;
  const Clock& clock_;
  kube::Cluster& cluster_;
  metrics::Metrics& metrics_;
  Logger& log_;
  const Started started_;
  std::optional<host::FolderWatch> folder_watch_;
  Loop::Watch news_;
  Loop::Timer again_;  // for a folder that cannot be watched, or what cannot be told yet
  // What is on its way.
  struct Taken {
    std::string text;
    kube::Name pod;
    std::string uid;  // in the API; a later file of the same pod goes before an earlier one
    Stamp stamp = {};
  };
  std::map<std::string, Taken> taken_;  // by file
  // Since when a file waits for the GIDs of its pod's interfaces.
  std::map<std::string, std::chrono::steady_clock::time_point> without_gids_;
  std::string trouble_;
};

}  // namespace railhead::app
