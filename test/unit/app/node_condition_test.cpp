// The Node's condition RailheadReady.
#include "plugin/app/node_condition.hpp"

#include <catch2/catch_test_macros.hpp>

using railhead::app::condition_of;

TEST_CASE("The condition has the first reason that holds, and all of them as its words") {
  const auto reason = [](bool has_inventory, bool is_current, std::vector<std::string> troubles) {
    return condition_of({has_inventory, is_current, std::move(troubles)}).reason;
  };
  CHECK(reason(true, true, {}) == "Ready");
  CHECK(reason(false, false, {"pools: x"}) == "InventoryUnknown");
  CHECK(reason(true, false, {"pools: x"}) == "ConfigurationRefused");
  CHECK(reason(true, true, {"networks: y", "holders: x", "pools: x"}) == "PoolsDegraded");
  CHECK(reason(true, true, {"networks: y", "holders: x"}) == "RecordsUnreadable");
  CHECK(reason(true, true, {"questions: y"}) == "Degraded");
  CHECK(reason(true, true, {"networks: no API server"}) == "Ready");
  CHECK(condition_of({true, true, {}}).is_true);
  const auto refused = condition_of({true, false, {"pools: a", "networks: c", "holders: b"}});
  CHECK_FALSE(refused.is_true);
  CHECK(refused.type == "RailheadReady");
  CHECK(refused.message == "pools: a; holders: b");
  CHECK(condition_of({true, true, {std::string(5'000, 'x')}}).message.size() == 1'024);
}
