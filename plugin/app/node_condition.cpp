#include "plugin/app/node_condition.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace railhead::app {
namespace {

constexpr std::chrono::seconds kLook{5};
constexpr std::chrono::seconds kLasting{15};  // what passes sooner is no news
constexpr std::chrono::minutes kAgain{5};     // who reads it may ask when it was written last
constexpr size_t kMessage = 1'024;            // more nobody reads
// Whether the API server can be reached is told by nothing that must be written to it.
constexpr std::string_view kOfCluster = "networks:";

}  // namespace

kube::Condition condition_of(const NodeState& state) {
  auto troubles = state.troubles;
  std::erase_if(troubles, [](const auto& line) { return line.starts_with(kOfCluster); });
  const auto has = [&](std::string_view part) {
    return std::ranges::any_of(troubles, [&](const auto& line) { return line.starts_with(part); });
  };
  const auto reason = !state.has_inventory       ? "InventoryUnknown"
                      : !state.is_config_current ? "ConfigurationRefused"
                      : has("pools:")            ? "PoolsDegraded"
                      : has("holders:")          ? "RecordsUnreadable"
                      : !troubles.empty()        ? "Degraded"
                                                 : "Ready";
  const bool is_ready = std::string_view(reason) == "Ready";
  auto message = is_ready ? "pools are registered" : join(troubles, "; ");
  return {"RailheadReady", is_ready, reason, message.substr(0, kMessage)};
}

NodeCondition::NodeCondition(Loop& loop, const Clock& clock, Networks& networks, State state)
    : clock_(clock),
      networks_(networks),
      state_(std::move(state)),
      timer_(loop, [this] { look(); }) {}

void NodeCondition::look() {
  const auto now = clock_.now();
  const auto condition = condition_of(state_());
  if (condition.reason != seen_) {
    seen_ = condition.reason;
    since_ = now;
  }
  const bool is_news =
      condition.reason != written_ && (condition.is_true || now - since_ >= kLasting);
  if (is_news || (condition.reason == written_ && now - when_ >= kAgain)) {
    networks_.write(condition);
    written_ = condition.reason;
    when_ = now;
  }
  timer_.set(now + kLook);
}

}  // namespace railhead::app
