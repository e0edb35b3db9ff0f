#pragma once
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace railhead {

std::string_view trim(std::string_view text);                         // spaces, tabs, newlines
std::vector<std::string_view> split(std::string_view text, char at);  // "" -> {""}
std::string to_lower(std::string_view text);                          // ASCII only
bool equal_ignoring_case(std::string_view a, std::string_view b);     // ASCII only
std::string join(const std::vector<std::string>& parts, std::string_view between);
// The one of `words` that differs least from `text`, ASCII case aside: what a typing error was
// meant to be. Empty when each differs by more than two letters, or by more than a third of them.
std::string nearest(std::string_view text, const std::vector<std::string>& words);

// The text with U+FFFD for each sequence of bytes that is no UTF-8 (Unicode 15, 3.9, D93b).
std::string valid_utf8(std::string_view text);

// As Go's %q prints it, for messages that existing programs' users know: in quotes, with '"' and
// '\' escaped.
std::string go_quoted(std::string_view text);

// FNV-1a, 64 bits: tells texts apart that nobody makes alike on purpose.
uint64_t hash_of(std::string_view text);

// The whole text as a number, or nothing: no sign for unsigned types, no spaces, no prefix.
template <class Int>
std::optional<Int> parse_int(std::string_view text, int base = 10) {
  Int value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// A set of indexes written as "0-3,5": inclusive ranges and numbers, as after `#` in pfNames.
// Nothing when the text does not follow that grammar.
struct IndexRange {
  uint32_t first = 0;
  uint32_t last = 0;
  friend bool operator==(const IndexRange&, const IndexRange&) = default;
};
std::optional<std::vector<IndexRange>> parse_ranges(std::string_view text);
bool contains(const std::vector<IndexRange>& ranges, uint32_t index);

}  // namespace railhead
