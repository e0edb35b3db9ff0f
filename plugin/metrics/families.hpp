#pragma once
// The values of one moment as Prometheus' families.
#include <vector>

#include <prometheus/metric_family.h>

#include "plugin/metrics/metrics.hpp"

namespace railhead::metrics {

[[nodiscard]] std::vector<prometheus::MetricFamily> families_of(const Now& now);

}  // namespace railhead::metrics
