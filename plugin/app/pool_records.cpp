#include "plugin/app/pool_records.hpp"

#include <algorithm>
#include <utility>

#include "device/rail_map.hpp"
#include "plugin/pool/remembered.hpp"

namespace railhead::app {
namespace {

constexpr std::chrono::seconds kForgetEnded{60};

}  // namespace

PoolRecords::PoolRecords(std::string state_dir, const Clock& clock, Logger& log)
    : state_dir_(std::move(state_dir)), clock_(clock), log_(log) {}

void PoolRecords::load() {
  auto rails = pool::read_rails(state_dir_);
  if (!rails) {
    log_.error("cannot read the rails' numbers; they are given anew",
               {{"error", rails.error().message}});
  }
  rails_ = std::move(rails).value_or(pool::Rails{});
  auto rail_map = device::read_rail_map(state_dir_);
  if (!rail_map) {
    log_.error("cannot read the node's rails; they are numbered anew",
               {{"error", rail_map.error().message}});
  }
  rail_map_ = std::move(rail_map).value_or(device::RailMap{});
  auto resources = pool::read_own_resources(state_dir_);
  if (!resources) {
    log_.error("which resources were served before is not known",
               {{"error", resources.error().message}});
  }
  resources_ = std::move(resources).value_or(std::set<std::string>{});
  are_on_disk_ = true;
  ended_.clear();
}

void PoolRecords::keep_rails(const pool::Rails& rails) {
  if (rails == rails_) return;
  if (auto written = pool::write_rails(state_dir_, rails); !written) {
    log_.error("a restart will number the rails anew", {{"error", written.error().message}});
    return;
  }
  rails_ = rails;
}

void PoolRecords::keep_rail_map(const device::RailMap& rails) {
  if (rails == rail_map_) return;
  if (auto written = device::write_rail_map(state_dir_, rails); !written) {
    log_.error("networks over rails cannot know the node's rails",
               {{"error", written.error().message}});
    return;
  }
  rail_map_ = rails;
}

std::optional<PoolRecords::TimePoint> PoolRecords::keep_resources(
    const std::set<std::string>& served, bool complete) {
  const auto time = clock_.now();
  std::optional<TimePoint> due;
  std::map<std::string, TimePoint> ended;
  auto kept = served;
  for (const auto& name : resources_) {
    if (served.contains(name)) continue;
    if (!complete) {
      kept.insert(name);
      continue;
    }
    const auto before = ended_.find(name);
    const auto since = before == ended_.end() ? time : before->second;
    if (time >= since + kForgetEnded) continue;
    kept.insert(name);
    ended[name] = since;
    due = due ? std::min(*due, since + kForgetEnded) : since + kForgetEnded;
  }
  ended_ = std::move(ended);
  if (kept == resources_ && are_on_disk_) return due;
  const auto written = pool::write_own_resources(state_dir_, kept);
  are_on_disk_ = written.has_value();
  if (!written) {
    log_.warning("a boot will forget resources that pods have and the configuration does not",
                 {{"error", written.error().message}});
  }
  resources_ = std::move(kept);
  return due;
}

}  // namespace railhead::app
