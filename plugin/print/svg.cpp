#include <algorithm>

#include "plugin/print/svg_layout.hpp"
#include "plugin/print/topology.hpp"

namespace railhead::print {
namespace {

constexpr int kMargin = 24;
constexpr int kHeader = 64;
constexpr int kLeast = 720;  // wide enough for header and legend

// Plain rules first: some programs do not know @media, and show the light drawing.
constexpr std::string_view kStyle = R"(  <style>
    text { font: 12px ui-monospace, "DejaVu Sans Mono", "Liberation Mono", Menlo, Consolas, monospace; fill: #1f2328 }
    .head { font-size: 18px; font-weight: bold }
    .name { font-weight: bold }
    .soft { fill: #59636e }
    .trouble { fill: #bc4c00; font-weight: bold }
    .page { fill: #ffffff; stroke: #d1d9e0 }
    .numa { fill: #f3f5f8; stroke: #b7c0ca }
    .bridge { fill: #ffffff; stroke: #b7c0ca }
    .switch { fill: #f3eefc; stroke: #a78bda }
    .gpu { fill: #dcf5e3; stroke: #3fae62 }
    .nic { fill: #dfeffd; stroke: #4c9be8 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .soft { fill: #9198a1 }
      .trouble { fill: #f0883e }
      .page { fill: #0d1117; stroke: #3d444d }
      .numa { fill: #161b22; stroke: #3d444d }
      .bridge { fill: #0d1117; stroke: #3d444d }
      .switch { fill: #1e1a2b; stroke: #6e55a8 }
      .gpu { fill: #12281b; stroke: #2f8f4e }
      .nic { fill: #10243b; stroke: #2f74c0 }
    }
  </style>
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

class Svg {
 public:
  void rectangle(std::string_view style, int x, int y, int width, int height, int radius) {
    body_ += fmt::format(
        "  <rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>\n", style, x,
        y, width, height, radius);
  }
  void text(std::string_view style, int x, int y, std::string_view text, bool to_the_left = false) {
    body_ +=
        fmt::format("  <text class=\"{}\" x=\"{}\" y=\"{}\"{} xml:space=\"preserve\">{}</text>\n",
                    style, x, y, to_the_left ? " text-anchor=\"end\"" : "", escaped(text));
  }

  void draw(const Card& card) {
    rectangle(card.is_gpu ? "gpu" : "nic", card.x, card.y, card.width, card.height, 6);
    const int x = card.x + kCardPadding;
    int y = card.y + kCardPadding + kLineHeight - 5;
    text("name", x, y, card.title);
    if (!card.note.empty()) {
      text("soft", card.x + card.width - kCardPadding, y, card.note, true);
    }
    for (const auto& line : card.lines) {
      y += kLineHeight;
      text(line.is_trouble ? "trouble" : "", x, y, line.text);
    }
  }

  void draw(const Box& box) {
    const bool is_numa_node = box.kind == Group::Kind::numa_node;
    rectangle(is_numa_node                           ? "numa"
              : box.kind == Group::Kind::host_bridge ? "bridge"
                                                     : "switch",
              box.x, box.y, box.width, box.height, is_numa_node ? 10 : 8);
    text(is_numa_node ? "name" : "soft", box.x + kGap, box.y + 20, box.title);
    for (const auto& card : box.cards) draw(card);
    for (const auto& one : box.boxes) draw(one);
  }

  [[nodiscard]] std::string document(int width, int height) const {
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
               "viewBox=\"0 0 {0} {1}\" role=\"img\">\n  <title>PCIe topology</title>\n",
               width, height) +
           std::string(kStyle) + body_ + "</svg>\n";
  }

 private:
  std::string body_;
};

constexpr std::string_view kLegend[] = {
    "Distances:  PIX   in one PCIe switch box (or behind one root port)",
    "            PXB   in one outer PCIe switch box, over several switches",
    "            PHB   in one host bridge box",
    "            NODE  in one NUMA node box",
    "            SYS   in different NUMA node boxes",
    "Rails:      ports in the order of the GPUs that each is nearest to, then the others",
};

std::string count(size_t number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

}  // namespace

std::string topology_svg(const device::Inventory& inventory, const Source& source) {
  const auto boxes = lay_out(inventory, kMargin, kMargin + kHeader, kLeast - 2 * kMargin);
  int right = kLeast - kMargin;
  int bottom = kMargin + kHeader;
  for (const auto& box : boxes) {
    right = std::max(right, box.x + box.width);
    bottom = std::max(bottom, box.y + box.height);
  }
  const auto names = name(inventory);
  std::string facts = fmt::format("{}, {}", count(names.gpus.size(), "GPU"),
                                  count(names.ports.size(), "network port"));
  // A file's path may be long; the drawing is not made wider for it.
  std::string from = "places from " + source.to_string();
  const auto fits = static_cast<size_t>((right - kMargin) * 10 / 73);
  if (from.size() > fits) from = from.substr(0, fits - 2) + "..";

  const int width = right + kMargin;
  const int legend = bottom + kGap + kLineHeight;
  const int height =
      legend + static_cast<int>(std::size(kLegend)) * kLineHeight + kMargin - kLineHeight / 2;
  Svg svg;
  svg.rectangle("page", 1, 1, width - 2, height - 2, 12);
  svg.text("head", kMargin, kMargin + 18, "PCIe topology");
  svg.text("soft", right, kMargin + 18, facts, true);
  svg.text("soft", kMargin, kMargin + 40, from);
  for (const auto& box : boxes) svg.draw(box);
  int y = legend;
  for (const auto line : kLegend) {
    svg.text("soft", kMargin, y, line);
    y += kLineHeight;
  }
  return svg.document(width, height);
}

}  // namespace railhead::print
