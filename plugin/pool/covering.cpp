#include "plugin/pool/covering.hpp"

#include <algorithm>

#include "device/pcie.hpp"

namespace railhead::pool {

using device::Cost;

Covering::Covering(Ports& ports, const std::vector<const device::PciFunction*>& gpus)
    : ports_(ports), served_(gpus.size(), false) {
  for (const auto* gpu : gpus) {
    auto& row = distances_.emplace_back();
    for (const auto& port : ports.list) {
      row.push_back(static_cast<int64_t>(device::distance(*gpu, *port.function)));
    }
  }
}

bool Covering::tells_ports_apart() const {
  return std::any_of(distances_.begin(), distances_.end(), [&](const auto& row) {
    return std::any_of(row.begin(), row.end(),
                       [&](int64_t distance) { return distance != row.front(); });
  });
}

std::vector<size_t> Covering::waiting() const {
  std::vector<size_t> gpus;
  for (size_t g = 0; g < served_.size(); ++g) {
    if (!served_[g]) gpus.push_back(g);
  }
  return gpus;
}

Covering::Columns Covering::free_columns(size_t at_most) const {
  Columns columns;
  for (size_t p = 0; p < ports_.list.size(); ++p) {
    columns.insert(columns.end(), std::min(ports_.list[p].free.size(), at_most), p);
  }
  return columns;
}

std::vector<std::vector<Cost>> Covering::costs(const std::vector<size_t>& gpus,
                                               const Columns& columns, Ties ties) const {
  std::vector<std::vector<Cost>> costs;
  for (const size_t g : gpus) {
    auto& row = costs.emplace_back();
    int64_t copy = 0;
    for (size_t i = 0; i < columns.size(); ++i) {
      const auto& port = ports_.list[columns[i]];
      copy = i > 0 && columns[i] == columns[i - 1] ? copy + 1 : 0;
      row.push_back({static_cast<int64_t>(port.chosen) + copy, distances_[g][columns[i]],
                     static_cast<int64_t>(port.load),
                     ties == Ties::by_rail ? static_cast<int64_t>(columns[i]) : 0});
    }
  }
  return costs;
}

void Covering::find_served() {
  Columns chosen;
  for (size_t p = 0; p < ports_.list.size(); ++p) {
    chosen.insert(chosen.end(), std::min(ports_.list[p].chosen, served_.size()), p);
  }
  const auto of_gpu = device::assign(costs(waiting(), chosen, Ties::by_rail));
  for (size_t g = 0; g < of_gpu.size(); ++g) served_[g] = of_gpu[g].has_value();
}

Cost Covering::lowest_cost(const Columns& columns, size_t number) const {
  const auto each = costs(waiting(), columns, Ties::left);
  const auto column_of = device::assign(each, number);
  Cost sum;
  for (size_t row = 0; row < column_of.size(); ++row) {
    if (column_of[row]) sum = sum + each[row][*column_of[row]];
  }
  return sum;
}

Covering::Columns Covering::rail_group(size_t number) const {
  const auto& list = ports_.list;
  const auto is_chosen = [](const Port& port) { return port.chosen > 0; };
  const auto chosen = static_cast<size_t>(std::count_if(list.begin(), list.end(), is_chosen));
  const size_t size = chosen + number;
  if (number > waiting().size() || size > list.size()) return {};
  const Cost lowest = lowest_cost(free_columns(number), number);
  for (size_t first = 0; first + size <= list.size(); first += size) {
    Columns group;
    for (size_t p = first; p < first + size; ++p) {
      if (!is_chosen(list[p]) && !list[p].free.empty()) group.push_back(p);
    }
    // What is chosen already must be of this group, and nothing of it may be missing.
    if (group.size() == number && lowest_cost(group, number) == lowest) {
      const auto begin = list.begin() + static_cast<ptrdiff_t>(first);
      if (std::count_if(begin, begin + static_cast<ptrdiff_t>(size), is_chosen) ==
          static_cast<ptrdiff_t>(chosen)) {
        return group;
      }
    }
  }
  return {};
}

std::vector<size_t> Covering::choose(size_t number) {
  find_served();
  std::vector<size_t> offers;
  for (const size_t p : rail_group(number)) offers.push_back(ports_.choose_from(p));
  while (offers.size() < number) {
    auto gpus = waiting();
    if (gpus.empty()) {  // each has one more now
      served_.assign(served_.size(), false);
      gpus = waiting();
    }
    const auto columns = free_columns(gpus.size());
    if (columns.empty()) break;
    const auto column_of =
        device::assign(costs(gpus, columns, Ties::by_rail), number - offers.size());
    for (size_t row = 0; row < gpus.size(); ++row) {
      if (!column_of[row]) continue;
      served_[gpus[row]] = true;
      offers.push_back(ports_.choose_from(columns[*column_of[row]]));
    }
  }
  return offers;
}

}  // namespace railhead::pool
