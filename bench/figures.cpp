#include "bench/figures.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace railhead::bench {
namespace {

std::string number(std::optional<double> value) {
  return value ? fmt::format("{:.3g}", *value) : "";
}

}  // namespace

double Figure::median() const {
  auto sorted = samples;
  std::sort(sorted.begin(), sorted.end());
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

std::string format_table(const std::vector<Figure>& figures) {
  std::string text = fmt::format("{:<32} {:>9} {:>9} {:>9} {:>4}  {:<4} {:>7} {:>7}\n", "",
                                 "median", "smallest", "largest", "n", "unit", "goal", "floor");
  for (const auto& figure : figures) {
    const auto [least, most] = std::minmax_element(figure.samples.begin(), figure.samples.end());
    text += fmt::format("{:<32} {:>9.3f} {:>9.3f} {:>9.3f} {:>4}  {:<4} {:>7} {:>7}{}\n",
                        figure.name, figure.median(), *least, *most, figure.samples.size(),
                        figure.unit, number(figure.goal), number(figure.floor),
                        figure.goal && figure.median() > *figure.goal ? "  over its goal" : "");
  }
  return text;
}

std::string format_json(const std::vector<Figure>& figures) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& figure : figures) {
    if (!figure.in_json) continue;
    auto& one = json[figure.name];
    one["value"] = figure.median();
    one["unit"] = figure.unit;
    one["goal"] = figure.goal ? nlohmann::ordered_json(*figure.goal) : nullptr;
    one["floor"] = figure.floor ? nlohmann::ordered_json(*figure.floor) : nullptr;
  }
  return json.dump(2) + '\n';
}

}  // namespace railhead::bench
