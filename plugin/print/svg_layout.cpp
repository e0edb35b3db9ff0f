#include "plugin/print/svg_layout.hpp"

#include <algorithm>
#include <map>

#include "device/port_name.hpp"

namespace railhead::print {
namespace {

using device::PciFunction;

constexpr size_t kLongestLine = 26;  // characters
constexpr int kNumaWidth = 1060;     // where its boxes go on in the next row
constexpr int kInnerWidth = 640;     // the same of a host bridge and a switch

// Printable ASCII, not too long; a netdev's name may be any bytes.
std::string fit(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  if (text.size() > kLongestLine) text = text.substr(0, kLongestLine - 2) + "..";
  return text;
}

Line netdev_line(const PciFunction& function) {
  const auto uplink = std::find_if(
      function.netdevs.begin(), function.netdevs.end(), [](const device::Netdev& netdev) {
        return netdev.phys_port_name && device::is_uplink_port(*netdev.phys_port_name);
      });
  const auto& netdev = uplink != function.netdevs.end() ? *uplink : function.netdevs.front();
  const bool cut = netdev.up && netdev.carrier == false;
  return {fmt::format("{} {}", netdev.name, cut ? "no carrier" : (netdev.up ? "up" : "down")),
          cut || !netdev.up};
}

Line rdma_line(const device::RdmaDevice& device) {
  if (!device.in_host_namespace) return {device.name + " in a pod"};
  if (device.ports.empty()) return {device.name};
  constexpr uint8_t kActive = 4;  // enum ib_port_state
  const auto state = device.ports.front().state;
  return {fmt::format("{} {}", device.name, port_state(state)), state != kActive};
}

// "16 of 16 VFs", and where their drivers differ how many each has.
void add_vf_lines(const PciFunction& pf, const device::Inventory& inventory,
                  std::vector<Line>& lines) {
  if (!pf.total_vfs) return;
  lines.push_back({fmt::format("{} of {} VFs", count_vfs(pf), *pf.total_vfs)});
  std::map<std::string, size_t> drivers;
  for (const auto& address : pf.vfs) {
    const auto* vf = address ? inventory.find(*address) : nullptr;
    if (vf) ++drivers[vf->driver.empty() ? "no driver" : vf->driver];
  }
  if (drivers.empty() || (drivers.size() == 1 && drivers.begin()->first == pf.driver)) return;
  for (const auto& [driver, count] : drivers) {
    lines.push_back({fmt::format("  {} {}", count, driver)});
  }
}

Card card_of(const PciFunction& function, const Names& names, const device::Inventory& inventory) {
  Card card;
  card.is_gpu = function.is_gpu;
  if (const auto* named = names.find(&function)) {
    card.title = named->name;
    if (named->rail) card.note = fmt::format("rail {}", *named->rail);
  }
  card.lines.push_back({function.address.to_string()});
  card.lines.push_back({fmt::format("{}:{}", function.vendor, function.device_id)});
  card.lines.push_back({function.driver.empty() ? "no driver" : function.driver});
  if (!function.netdevs.empty()) card.lines.push_back(netdev_line(function));
  for (const auto& device : function.rdma) card.lines.push_back(rdma_line(device));
  add_vf_lines(function, inventory, card.lines);
  for (auto& line : card.lines) line.text = fit(std::move(line.text));
  return card;
}

Box box_of(const Group& group, const Names& names, const device::Inventory& inventory) {
  Box box;
  box.kind = group.kind;
  box.title = fit((group.kind == Group::Kind::host_bridge   ? "host bridge "
                   : group.kind == Group::Kind::pcie_switch ? "PCIe switch "
                                                            : "") +
                  group.name);
  for (const auto* function : group.functions) {
    box.cards.push_back(card_of(*function, names, inventory));
  }
  for (const auto& one : group.groups) box.boxes.push_back(box_of(one, names, inventory));
  return box;
}

// All cards are equally wide; those of one box equally high.
int widest_card(const Box& box) {
  size_t characters = 0;
  int width = 0;
  for (const auto& card : box.cards) {
    characters = std::max(characters, card.title.size() + card.note.size() + 3);
    for (const auto& line : card.lines) characters = std::max(characters, line.text.size());
  }
  if (characters > 0) width = text_width(characters) + 2 * kCardPadding;
  for (const auto& one : box.boxes) width = std::max(width, widest_card(one));
  return width;
}

void size_cards(Box& box, int width) {
  size_t lines = 0;
  for (const auto& card : box.cards) lines = std::max(lines, card.lines.size());
  for (auto& card : box.cards) {
    card.width = width;
    card.height = static_cast<int>(lines + 1) * kLineHeight + 2 * kCardPadding;
  }
}

// Sets things side by side, in as many rows as they need.
class Rows {
 public:
  Rows(int x, int y, int limit) : x_(x), y_(y), left_(x), limit_(limit) {}

  template <class Thing>
  void place(Thing& thing) {
    if (x_ > left_ && x_ - left_ + thing.width > limit_) next_row();
    thing.x = x_;
    thing.y = y_;
    x_ += thing.width + kGap;
    right_ = std::max(right_, x_ - kGap);
    bottom_ = std::max(bottom_, y_ + thing.height);
  }
  void next_row() {
    if (x_ == left_) return;
    x_ = left_;
    y_ = bottom_ + kGap;
  }
  [[nodiscard]] int right() const { return right_; }
  [[nodiscard]] int bottom() const { return bottom_; }

 private:
  int x_, y_;
  int left_, limit_;
  int right_ = 0, bottom_ = 0;
};

// The box's size, with all that is in it placed as if the box stood at 0, 0.
void size_box(Box& box, int card_width) {
  size_cards(box, card_width);
  Rows rows(kGap, kTitleHeight, box.kind == Group::Kind::numa_node ? kNumaWidth : kInnerWidth);
  for (auto& card : box.cards) rows.place(card);
  for (auto& one : box.boxes) {
    size_box(one, card_width);
    rows.place(one);
  }
  // Boxes of one row end at one line.
  for (auto& one : box.boxes) {
    for (const auto& other : box.boxes) {
      if (other.y == one.y) one.height = std::max(one.height, other.height);
    }
  }
  box.width = std::max(rows.right() + kGap, text_width(box.title.size()) + 2 * kGap);
  box.height = rows.bottom() + kGap;
}

// What size_box() placed within each box becomes places on the page.
void make_absolute(Box& box) {
  for (auto& card : box.cards) {
    card.x += box.x;
    card.y += box.y;
  }
  for (auto& one : box.boxes) {
    one.x += box.x;
    one.y += box.y;
    make_absolute(one);
  }
}

}  // namespace

int text_width(size_t characters) { return static_cast<int>(characters * 73 / 10) + 1; }

std::vector<Box> lay_out(const device::Inventory& inventory, int x, int y, int least_width) {
  const auto names = name(inventory);
  std::vector<Box> boxes;
  int card_width = 0;
  for (const auto& numa_node : group(inventory)) {
    boxes.push_back(box_of(numa_node, names, inventory));
    card_width = std::max(card_width, widest_card(boxes.back()));
  }
  int width = least_width;
  for (auto& box : boxes) {
    size_box(box, card_width);
    width = std::max(width, box.width);
  }
  for (auto& box : boxes) {
    box.width = width;
    box.x = x;
    box.y = y;
    make_absolute(box);
    y += box.height + kGap;
  }
  return boxes;
}

}  // namespace railhead::print
