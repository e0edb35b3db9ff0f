#pragma once
// The drawing as boxes and cards with their places, in pixels. Texts are of one monospaced font, so
// what fits is known without the font.
#include <string>
#include <vector>

#include "plugin/print/tree.hpp"

namespace railhead::print {

constexpr int kLineHeight = 17;
constexpr int kCardPadding = 10;
constexpr int kTitleHeight = 30;  // of a box
constexpr int kGap = 14;          // between neighbours, and between a box and what is in it

// The width of a text of 12 px: an em is 0.602 of that in the usual monospaced fonts.
[[nodiscard]] int text_width(size_t characters);

struct Line {
  std::string text;
  bool is_trouble = false;  // no carrier, port down
};

// A GPU or a network port.
struct Card {
  bool is_gpu = false;
  std::string title;
  std::string note;  // at the right of the title
  std::vector<Line> lines;
  int x = 0, y = 0, width = 0, height = 0;
};

// A NUMA node, host bridge or PCIe switch: cards, and boxes in the box.
struct Box {
  Group::Kind kind = Group::Kind::numa_node;
  std::string title;
  std::vector<Card> cards;
  std::vector<Box> boxes;
  int x = 0, y = 0, width = 0, height = 0;
};

// The NUMA nodes below each other, equally wide, the first one at `x`, `y`.
[[nodiscard]] std::vector<Box> lay_out(const device::Inventory& inventory, int x, int y,
                                       int least_width);

}  // namespace railhead::print
