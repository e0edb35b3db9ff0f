#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace railhead::device {

// What a pairing costs. The first difference decides; sums are made part by part.
struct Cost {
  int64_t again = 0;     // how often the port is used already
  int64_t distance = 0;  // PcieDistance as a number
  int64_t load = 0;      // how much of the port others use
  int64_t tie = 0;       // decides between equals
  friend auto operator<=>(const Cost&, const Cost&) = default;
  friend Cost operator+(const Cost& a, const Cost& b) {
    return {a.again + b.again, a.distance + b.distance, a.load + b.load, a.tie + b.tie};
  }
  friend Cost operator-(const Cost& a, const Cost& b) {
    return {a.again - b.again, a.distance - b.distance, a.load - b.load, a.tie - b.tie};
  }
};

// Gives each of the rows a column of its own so that as many rows as can be have one, at most
// `limit` of them, and the sum of the costs is the lowest. `costs[row][column]`, not negative, all
// rows equally long. The column of each row; nothing for a row that gets none.
// Time: rows³ after one look at all costs, so any number of columns is cheap with few rows.
[[nodiscard]] std::vector<std::optional<size_t>> assign(const std::vector<std::vector<Cost>>& costs,
                                                        size_t limit = SIZE_MAX);

}  // namespace railhead::device
