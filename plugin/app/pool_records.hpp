#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::app {

// What the agent after this one must know of its pools, after a boot too: the rails' numbers, by
// which pods have their devices; and the names of the resources that were served, since kubelet's
// file tells of them and does not say whose they are.
class PoolRecords {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `clock` and `log` outlive it.
  PoolRecords(std::string state_dir, const Clock& clock, Logger& log);

  // Reads what is on disk, for what cannot be read there it logs an error and knows nothing. Once
  // more when this agent begins to serve: another one has kept what it knew until then.
  void load();

  [[nodiscard]] const pool::Rails& rails() const { return rails_; }
  // Whose devices pods may have: of the configuration, or of one before.
  [[nodiscard]] const std::set<std::string>& resources() const { return resources_; }

  [[nodiscard]] const device::RailMap& rail_map() const { return rail_map_; }

  // Written where it differs from what is on disk. What fails is logged, and tried again.
  void keep_rails(const pool::Rails& rails);
  void keep_rail_map(const device::RailMap& rails);
  // `served`: the resources that are configured, or that pods have some of. One that is neither for
  // a minute is forgotten, since another plugin may serve it next; not while who holds what is not
  // all known (`complete`). Until when something is to be forgotten, if so.
  [[nodiscard]] std::optional<TimePoint> keep_resources(const std::set<std::string>& served,
                                                        bool complete);

 private:
  const std::string state_dir_;
  const Clock& clock_;
  Logger& log_;
  pool::Rails rails_;         // as they are on disk
  device::RailMap rail_map_;  // the same
  std::set<std::string> resources_;
  bool are_on_disk_ = true;                 // as they are
  std::map<std::string, TimePoint> ended_;  // of these, since when nobody has any
};

}  // namespace railhead::app
