#include "device/assignment.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <tuple>

namespace railhead::device {
namespace {

constexpr Cost kInfinite = {std::numeric_limits<int64_t>::max() / 4, 0, 0, 0};

// The columns that an assignment may need: for each row its `rows` cheapest, since the other rows
// take at most rows - 1 of these.
std::vector<size_t> useful_columns(const std::vector<std::vector<Cost>>& costs) {
  const size_t columns = costs.front().size();
  const size_t keep = std::min(costs.size(), columns);
  std::vector<size_t> useful;
  std::vector<size_t> order(columns);
  for (const auto& row : costs) {
    std::iota(order.begin(), order.end(), size_t{0});
    std::partial_sort(
        order.begin(), order.begin() + static_cast<ptrdiff_t>(keep), order.end(),
        [&](size_t a, size_t b) { return std::tie(row[a], a) < std::tie(row[b], b); });
    useful.insert(useful.end(), order.begin(), order.begin() + static_cast<ptrdiff_t>(keep));
  }
  std::sort(useful.begin(), useful.end());
  useful.erase(std::unique(useful.begin(), useful.end()), useful.end());
  return useful;
}

// The Hungarian method with potentials (Kuhn, Munkres), one row after the other. Rows and columns
// count from 1 in it; column 0 is where the row that looks for a column stands.
class Hungarian {
 public:
  explicit Hungarian(const std::vector<std::vector<Cost>>& costs)
      : costs_(costs),
        columns_(costs.front().size()),
        of_row_(costs.size() + 1),
        of_column_(columns_ + 1),
        row_at_(columns_ + 1, 0),
        before_(columns_ + 1, 0) {}

  // The row at each column, from 1; 0 for none.
  const std::vector<size_t>& solve() {
    for (size_t row = 1; row <= costs_.size(); ++row) augment(row);
    return row_at_;
  }

 private:
  void augment(size_t row) {
    row_at_[0] = row;
    std::vector<Cost> least(columns_ + 1, kInfinite);
    std::vector<bool> visited(columns_ + 1, false);
    size_t column = 0;
    while (row_at_[column] != 0) column = step(column, least, visited);
    while (column != 0) {
      row_at_[column] = row_at_[before_[column]];
      column = before_[column];
    }
  }

  // Visits a column and gives the nearest that is not visited.
  size_t step(size_t column, std::vector<Cost>& least, std::vector<bool>& visited) {
    visited[column] = true;
    const size_t row = row_at_[column];
    Cost delta = kInfinite;
    size_t next = 0;
    for (size_t j = 1; j <= columns_; ++j) {
      if (visited[j]) continue;
      const Cost reduced = costs_[row - 1][j - 1] - of_row_[row] - of_column_[j];
      if (reduced < least[j]) {
        least[j] = reduced;
        before_[j] = column;
      }
      if (least[j] < delta) {
        delta = least[j];
        next = j;
      }
    }
    for (size_t j = 0; j <= columns_; ++j) {
      if (visited[j]) {
        of_row_[row_at_[j]] = of_row_[row_at_[j]] + delta;
        of_column_[j] = of_column_[j] - delta;
      } else {
        least[j] = least[j] - delta;
      }
    }
    return next;
  }

  const std::vector<std::vector<Cost>>& costs_;
  size_t columns_;
  std::vector<Cost> of_row_;     // potentials
  std::vector<Cost> of_column_;  // potentials
  std::vector<size_t> row_at_;
  std::vector<size_t> before_;
};

}  // namespace

std::vector<std::optional<size_t>> assign(const std::vector<std::vector<Cost>>& costs,
                                          size_t limit) {
  std::vector<std::optional<size_t>> result(costs.size());
  if (costs.empty() || costs.front().empty()) return result;
  const auto columns = useful_columns(costs);
  // A row that gets no column has one that stands for none. Those come free, so all are used.
  const size_t paired = std::min({limit, costs.size(), columns.size()});
  const size_t unpaired = costs.size() - paired;
  const Cost at_least_one{1, 0, 0, 0};
  std::vector<std::vector<Cost>> square(costs.size());
  for (size_t row = 0; row < costs.size(); ++row) {
    for (const size_t column : columns) square[row].push_back(costs[row][column] + at_least_one);
    square[row].resize(columns.size() + unpaired);
  }
  Hungarian hungarian(square);
  const auto& row_at = hungarian.solve();
  for (size_t j = 1; j <= columns.size(); ++j) {
    if (row_at[j] != 0) result[row_at[j] - 1] = columns[j - 1];
  }
  return result;
}

}  // namespace railhead::device
