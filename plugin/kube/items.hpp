#pragma once
// The objects of a list or of a watch as they come, so that no list need be in memory as a whole:
// five thousand objects of a few KB are.
#include <functional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace railhead::kube {

// A list's text in parts of any size: {"kind":…,"metadata":{…},"items":[{…},{…}]}. Only where each
// item begins and ends is looked for; what is no JSON comes out as an item that is none, or not at
// all.
class ListSplitter {
 public:
  static constexpr size_t kMaxItem = size_t{8} << 20U;
  static constexpr size_t kMaxRest = size_t{64} << 10U;

  explicit ListSplitter(std::function<void(std::string_view item)> item) : item_(std::move(item)) {}

  // Errors: decode (an item is larger than kMaxItem, or what is no item than kMaxRest).
  [[nodiscard]] Result<void> feed(std::string_view part);
  // The text without its items; JSON if the list was whole.
  [[nodiscard]] const std::string& rest() const { return rest_; }

 private:
  void take(char c);
  void append(char c);

  std::function<void(std::string_view item)> item_;
  std::string rest_;
  std::string item_text_;    // of the item that is not whole yet
  std::string last_string_;  // at depth 1: before a list, its key
  int depth_ = 0;            // 1 in the list's object, 2 in "items", 3 in an item
  bool in_string_ = false;
  bool is_escaped_ = false;
  bool in_items_ = false;
};

// A watch's text: an object on each line.
class LineSplitter {
 public:
  explicit LineSplitter(std::function<void(std::string_view line)> line) : line_(std::move(line)) {}
  // Errors: decode (a line is larger than ListSplitter::kMaxItem).
  [[nodiscard]] Result<void> feed(std::string_view part);

 private:
  std::function<void(std::string_view line)> line_;
  std::string buffer_;
};

}  // namespace railhead::kube
