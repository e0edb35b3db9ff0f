#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "plugin/app/networks.hpp"
#include "plugin/app/part.hpp"

namespace railhead::app {

// What the Node's condition RailheadReady is made of.
struct NodeState {
  bool has_inventory = false;
  bool is_config_current = false;
  std::vector<std::string> troubles;  // "<part>: <what>", Agent::State
};
// Ready, or InventoryUnknown, ConfigurationRefused, PoolsDegraded, RecordsUnreadable, Degraded: the
// first that holds, with all troubles but those of the cluster as its message. Pure.
[[nodiscard]] kube::Condition condition_of(const NodeState& state);

// Writes that condition when its reason changes and the new one lasts, and every five minutes, on
// the loop.
class NodeCondition final : public Part {
 public:
  using State = std::function<NodeState()>;
  // All outlives it.
  NodeCondition(Loop& loop, const Clock& clock, Networks& networks, State state);

  [[nodiscard]] std::string_view name() const override { return "condition"; }
  [[nodiscard]] Result<void> start() override { return {}; }
  // This agent serves the node from now on: it alone writes.
  void serve() { look(); }
  void stop() override { timer_.cancel(); }

 private:
  void look();

  const Clock& clock_;
  Networks& networks_;
  const State state_;
  std::string seen_;  // the reason, since then
  Loop::TimePoint since_;
  std::string written_;  // the reason, then
  Loop::TimePoint when_;
  Loop::Timer timer_;
};

}  // namespace railhead::app
