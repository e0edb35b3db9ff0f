#include "plugin/health/hysteresis.hpp"

namespace railhead::health {

std::string Hysteresis::judge(const std::string& device, const std::string& sickness,
                              TimePoint now) {
  const auto [entry, is_new] = devices_.try_emplace(device, State{sickness, std::nullopt, true});
  auto& state = entry->second;
  state.judged = true;
  if (sickness.empty() == state.counts.empty()) {
    state.counts = sickness;  // another reason needs no delay
    state.since.reset();
    return state.counts;
  }
  if (!state.since) state.since = now;
  if (now >= due(state)) {
    state.counts = sickness;
    state.since.reset();
  }
  return state.counts;
}

void Hysteresis::forget_others() {
  std::erase_if(devices_, [](const auto& entry) { return !entry.second.judged; });
  for (auto& [device, state] : devices_) state.judged = false;
}

Hysteresis::TimePoint Hysteresis::due(const State& state) {
  return *state.since + (state.counts.empty() ? kUntilSick : kUntilWell);
}

std::optional<Hysteresis::TimePoint> Hysteresis::due() const {
  std::optional<TimePoint> first;
  for (const auto& [device, state] : devices_) {
    if (state.since && (!first || due(state) < *first)) first = due(state);
  }
  return first;
}

}  // namespace railhead::health
