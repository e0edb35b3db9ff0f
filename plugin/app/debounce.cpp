#include "plugin/app/debounce.hpp"

#include <algorithm>

namespace railhead::app {

void Debounce::event(TimePoint now) {
  if (!first_) first_ = now;
  last_ = now;
}

std::optional<Debounce::TimePoint> Debounce::due() const {
  if (!first_) return std::nullopt;
  return std::min(last_ + kQuiet, *first_ + limit_);
}

void Debounce::looking(TimePoint now) {
  const bool is_quiet = !first_ || now >= last_ + kQuiet;
  limit_ = is_quiet ? kFirstLimit : std::min(2 * limit_, kLastLimit);
  first_.reset();
}

}  // namespace railhead::app
