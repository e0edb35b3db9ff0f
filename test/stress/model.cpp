#include "test/stress/model.hpp"

#include <utility>

namespace railhead::stress {

void Findings::add(const std::string& text) {
  constexpr size_t kKept = 40;
  const std::lock_guard lock(mutex_);
  if (count_++ < kKept) new_.push_back(text);
}

size_t Findings::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

std::vector<std::string> Findings::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(new_, {});
}

Owners::Open Owners::begin(size_t device, bool gives_back) {
  const std::lock_guard lock(mutex_);
  auto& state = devices_.at(device);
  const bool contended = state.owner.has_value() || state.open != 0;
  if (gives_back) state.owner.reset();
  ++state.open;
  return {device, ++state.begun, contended};
}

std::optional<std::string> Owners::taken(const Open& open, const std::string& owner) {
  const std::lock_guard lock(mutex_);
  return std::exchange(devices_.at(open.device).owner, owner);
}

bool Owners::end(const Open& open) {
  const std::lock_guard lock(mutex_);
  auto& state = devices_.at(open.device);
  --state.open;
  return open.contended || state.begun != open.began;
}

bool Owners::is_held(size_t device) const {
  const std::lock_guard lock(mutex_);
  return devices_.at(device).owner.has_value();
}

}  // namespace railhead::stress
