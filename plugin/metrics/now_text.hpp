#pragma once
#include <string>

#include "plugin/metrics/metrics.hpp"

namespace railhead::metrics {

// The values of one moment in the text format. Written at once, not as prometheus-cpp's values: a
// sample of these takes a kilobyte, and a large node has tens of thousands.
[[nodiscard]] std::string text_of(const Now& now);

}  // namespace railhead::metrics
