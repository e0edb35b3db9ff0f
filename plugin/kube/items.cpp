#include "plugin/kube/items.hpp"

namespace railhead::kube {

// Between items there are commas and spaces.
void ListSplitter::append(char c) {
  if (in_items_ && depth_ > 2) {
    item_text_ += c;
  } else if (!in_items_ || c == '[' || c == ']') {
    rest_ += c;
  }
}

void ListSplitter::take(char c) {
  if (in_string_) {
    append(c);
    if (is_escaped_) {
      is_escaped_ = false;
    } else if (c == '\\') {
      is_escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
    } else if (depth_ == 1) {
      last_string_ += c;
    }
    return;
  }
  if (c == '"') {
    in_string_ = true;
    if (depth_ == 1) last_string_.clear();
  } else if (c == '{' || c == '[') {
    if (depth_ == 1) in_items_ = c == '[' && last_string_ == "items";
    ++depth_;
  }
  append(c);
  if (c != '}' && c != ']') return;
  --depth_;
  if (in_items_ && depth_ == 2) {
    item_(item_text_);
    item_text_.clear();
  }
  if (depth_ < 2) in_items_ = false;
}

Result<void> ListSplitter::feed(std::string_view part) {
  for (const char c : part) {
    take(c);
    if (item_text_.size() > kMaxItem) {
      return fail(ErrorCode::decode, "an object of the list has more than {} bytes", kMaxItem);
    }
    if (rest_.size() > kMaxRest) {
      return fail(ErrorCode::decode, "the list has more than {} bytes beside its objects",
                  kMaxRest);
    }
  }
  return {};
}

Result<void> LineSplitter::feed(std::string_view part) {
  while (!part.empty()) {
    const auto end = part.find('\n');
    buffer_.append(part.substr(0, end));
    if (buffer_.size() > ListSplitter::kMaxItem) {
      return fail(ErrorCode::decode, "an object of the watch has more than {} bytes",
                  ListSplitter::kMaxItem);
    }
    if (end == std::string_view::npos) return {};
    part.remove_prefix(end + 1);
    const auto line = std::move(buffer_);
    buffer_.clear();
    if (!line.empty()) line_(line);
  }
  return {};
}

}  // namespace railhead::kube
