#pragma once
#include <optional>
#include <string>
#include <vector>

namespace railhead::bench {

// One measured thing: its samples, and what they are held against.
struct Figure {
  std::string name;  // with its unit: "cni_version_ms"
  std::string unit;  // "ms", "MB"
  std::vector<double> samples;
  std::optional<double> goal;   // at most so much
  std::optional<double> floor;  // what the machine needs for the least that could do the job
  bool in_json = true;          // false: in the table only

  [[nodiscard]] double median() const;
};

// Name, median, smallest and largest sample, goal, floor, and whether the goal is met.
[[nodiscard]] std::string format_table(const std::vector<Figure>& figures);
// {"name": {"value": …, "unit": "…", "goal": …, "floor": …}}
[[nodiscard]] std::string format_json(const std::vector<Figure>& figures);

}  // namespace railhead::bench
