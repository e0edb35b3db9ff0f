#include "base/text.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace railhead {
namespace {
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// How many letters must be added, left out or changed to make one of the other (Levenshtein).
size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);  // of a's first i letters, to b's first j
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({changed, row[j] + 1, row[j + 1] + 1}));
    }
  }
  return row.back();
}

// How many bytes at the front of a text are one character, or, when they are no UTF-8, belong
// together as one that is broken: the longest beginning of a character that is none, or one byte.
struct Utf8Sequence {
  size_t size = 1;
  bool whole = false;
};
Utf8Sequence utf8_sequence(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {1, true};
  const size_t length = first < 0xc2   ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;
  if (length == 0) return {};
  // The second byte's range is narrower where a shorter form, a surrogate or more than U+10FFFF
  // would follow.
  unsigned low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  for (size_t i = 1; i < length; ++i) {
    if (i >= text.size() || byte(i) < low || byte(i) > high) return {i, false};
    low = 0x80;
    high = 0xbf;
  }
  return {length, true};
}
}  // namespace

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    auto end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string to_lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string join(const std::vector<std::string>& parts, std::string_view between) {
  std::string result;
  for (const auto& part : parts) {
    if (!result.empty() || &part != parts.data()) result += between;
    result += part;
  }
  return result;
}

std::string nearest(std::string_view text, const std::vector<std::string>& words) {
  const size_t most = std::min<size_t>(2, text.size() / 3);
  std::string_view best;
  size_t fewest = most + 1;
  for (const auto& word : words) {
    // Looked at only where it can be near: `text` may be of any length.
    if (word.size() > text.size() + most || text.size() > word.size() + most) continue;
    const size_t edits = edits_between(text, word);
    if (edits < fewest) {
      fewest = edits;
      best = word;
    }
  }
  return std::string(best);
}

std::string valid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const auto [size, whole] = utf8_sequence(text);
    valid += whole ? text.substr(0, size) : "\xef\xbf\xbd";
    text.remove_prefix(size);
  }
  return valid;
}

std::string go_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted += '"';
}

std::optional<std::vector<IndexRange>> parse_ranges(std::string_view text) {
  std::vector<IndexRange> ranges;
  for (auto part : split(text, ',')) {
    auto ends = split(part, '-');
    if (ends.size() > 2) return std::nullopt;
    auto first = parse_int<uint32_t>(ends.front());
    auto last = parse_int<uint32_t>(ends.back());
    if (!first || !last || *first > *last) return std::nullopt;
    ranges.push_back({*first, *last});
  }
  return ranges;
}

bool contains(const std::vector<IndexRange>& ranges, uint32_t index) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const IndexRange& r) { return r.first <= index && index <= r.last; });
}

uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace railhead
