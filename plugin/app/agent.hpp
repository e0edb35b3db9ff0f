#pragma once
// The agent while it runs: its parts, and how they hang together. Driven by one loop, that waits
// for nothing.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugin/app/baselines.hpp"
#include "plugin/app/configuration.hpp"
#include "plugin/app/holders.hpp"
#include "plugin/app/ipam_node.hpp"
#include "plugin/app/networks.hpp"
#include "plugin/app/news.hpp"
#include "plugin/app/node_condition.hpp"
#include "plugin/app/node_watch.hpp"
#include "plugin/app/options.hpp"
#include "plugin/app/owners.hpp"
#include "plugin/app/pools.hpp"
#include "plugin/app/questions.hpp"
#include "plugin/app/unattached.hpp"

namespace railhead::app {

class Agent {
 public:
  // Everything it is given outlives it.
  Agent(const Options& options, const host::Host& host, Loop& loop, host::Events& events,
        node::Adapters adapters, metrics::Metrics& metrics, Logger& log);

  // Reads the configuration and the node, and knows what it would serve: a standby. It writes
  // nothing. Errors: invalid_argument (the configuration), or what keeps it from hearing of
  // changes.
  [[nodiscard]] Result<void> start();
  // From now on it serves kubelet. Errors: as Pools::serve().
  [[nodiscard]] Result<void> serve();
  // Ends streams and sockets, within a second.
  void stop();
  // Reads the configuration and the node anew.
  void reload();

  struct State {
    std::shared_ptr<const node::Snapshot> snapshot;  // null before the first
    std::shared_ptr<const ledger::Holdings> holdings;
    std::string holders_unknown;        // why these are not all; "" when they are
    std::vector<Pools::Served> pools;   // by resource name
    std::vector<std::string> troubles;  // "pools: kubelet does not watch rdma/vf"
    bool config_current = false;        // false: what is on disk was refused
    bool serving = false;               // false: a standby
    std::string server;                 // who serves this node; "" when nobody has said so
  };
  // On the loop's thread.
  [[nodiscard]] State state() const;
  // Has the ledger ask kubelet again, for whoever shows what it says: kubelet does not tell that a
  // pod has ended. On the loop's thread.
  void refresh_holders() { holders_.ledger().look_if_old(); }
  // On the loop's thread. Null before serve().
  [[nodiscard]] std::shared_ptr<const kubelet::KubeletSession> session() const {
    return pools_.session();
  }

 private:
  void node_changed(std::optional<NodeWatch::TimePoint> event);
  void holders_changed();
  [[nodiscard]] std::shared_ptr<const device::Inventory> inventory() const;
  [[nodiscard]] std::vector<ipc::FarPair> far_pairs(
      const std::vector<ContainerDevices>& containers) const;

  News news_;
  Configuration configuration_;
  NodeWatch node_;
  ClaimedDevices claimed_;
  Holders holders_;
  Pools pools_;
  Owners owners_;
  Networks networks_;
  Questions questions_;
  Unattached unattached_;
  NodeCondition condition_;
  Baselines baselines_;
  IpamNode ipam_node_;
  const bool has_devices_;  // false: the cluster alone is followed
  const bool tells_condition_;
  const std::vector<Part*> parts_;  // those that run
  bool serving_ = false;
};

}  // namespace railhead::app
