#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "plugin/app/configuration.hpp"
#include "plugin/app/holders.hpp"
#include "plugin/app/news.hpp"
#include "plugin/app/node_watch.hpp"
#include "plugin/app/part.hpp"
#include "plugin/app/pool_records.hpp"
#include "plugin/app/served_pool.hpp"
#include "plugin/health/hysteresis.hpp"
#include "plugin/kubelet/session.hpp"

namespace railhead::app {

// The node's devices as pools, and these served to kubelet: sorted anew whenever the configuration,
// the node or what pods hold has changed. Until serve() it only sorts, and leaves nothing anywhere.
class Pools final : public Part {
 public:
  using TimePoint = Loop::TimePoint;

  struct Options {
    std::string kubelet_dir;
    std::string devinfo_dir;
    std::string state_dir;
    std::optional<grant::CdiOptions> cdi;  // absent: containers get device nodes
    device::ScanOptions scan;              // for any configuration
  };

  // All outlives it.
  Pools(Options options, const host::Host& host, Loop& loop, const Configuration& configuration,
        NodeWatch& node, Holders& holders, metrics::Metrics& metrics, News& news, Logger& log);

  [[nodiscard]] std::string_view name() const override { return "pools"; }
  [[nodiscard]] Result<void> start() override;
  // Streams end and sockets go, within a second.
  void stop() override;
  [[nodiscard]] std::vector<std::string> troubles() const override;

  // From now on kubelet is served. Errors: kubelet's folder, sockets, records.
  [[nodiscard]] Result<void> serve();

  // Something has changed; sorted at the next turn. `event`: what led to it.
  void changed(std::optional<TimePoint> event);
  // The configuration has.
  void reconfigured();

  struct Served {
    std::shared_ptr<const PoolView> view;
    bool watched = false;  // by kubelet
  };
  [[nodiscard]] std::vector<Served> served() const;  // by resource name
  // Null before serve().
  [[nodiscard]] std::shared_ptr<const kubelet::KubeletSession> session() const { return session_; }

 private:
  void recall();
  void sort();
  [[nodiscard]] pool::Selection select(const node::Snapshot& snapshot);
  void learn(const node::Snapshot& snapshot);
  [[nodiscard]] std::set<pool::Membership> allocated_as(const config::Config& config) const;
  void judge(const node::Snapshot& snapshot, pool::Selection& selection);
  void forget_changed_resources();
  void remember(const pool::Selection& selection, const node::Snapshot& snapshot);
  void keep(const pool::Selection& selection);
  using Views = std::map<std::string, PoolView>;  // by resource
  [[nodiscard]] Views views_of(const pool::Selection& selection,
                               const std::shared_ptr<const node::Snapshot>& snapshot) const;
  void show(Views views, std::optional<TimePoint> event);
  void tell(const pool::Selection& selection);
  void tell_if_empty(const pool::Pool* before, const pool::Pool& now);
  void remove_stale_files();
  [[nodiscard]] grant::Places places() const;

  const Options options_;
  const host::Host& host_;
  const Configuration& configuration_;
  NodeWatch& node_;
  Holders& holders_;
  metrics::Metrics& metrics_;
  News& news_;
  Logger& log_;

  PoolRecords records_;
  pool::Knowledge knowledge_;
  health::Hysteresis hysteresis_;
  bool serving_ = false;
  bool config_is_new_ = true;                                 // since the last sorting
  std::shared_ptr<const device::Inventory> inventory_;        // of the last sorting, if it counts
  std::optional<TimePoint> event_;                            // the first since the last sorting
  config::Config sorted_;                                     // of the last sorting
  std::map<std::string, std::shared_ptr<ServedPool>> pools_;  // by resource name
  // What the last show() changed, by resource.
  struct Change {
    std::shared_ptr<const PoolView> before;
    std::shared_ptr<ServedPool> ended;
    bool is_new = false;
    bool devices = false;  // kubelet is to be told anew
  };
  std::map<std::string, Change> changes_;
  std::shared_ptr<kubelet::KubeletSession> session_;  // while serving
  Loop::Timer sort_;
};

}  // namespace railhead::app
