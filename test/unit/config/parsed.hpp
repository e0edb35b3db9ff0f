#pragma once
// What a text is read as, and what is told of it.
#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "plugin/config/config.hpp"

namespace railhead::test {

using Texts = std::vector<std::string>;

inline config::Parsed parse(std::string_view text) { return config::parse(text, "example.com"); }

inline Texts messages(const std::vector<Error>& errors) {
  Texts messages;
  for (const auto& error : errors) messages.push_back(error.message);
  return messages;
}

// Of a text with nothing wrong in it, warnings aside.
inline config::Config good(std::string_view text) {
  auto parsed = parse(text);
  for (const auto& error : parsed.errors) FAIL_CHECK(error.message);
  for (const auto& dropped : parsed.dropped) FAIL_CHECK(dropped.place);
  return parsed.config;
}

// What ends the whole file.
inline Texts errors(std::string_view text) { return messages(parse(text).errors); }

// What costs a resource, of a file that is read.
inline Texts drops(std::string_view text) {
  const auto parsed = parse(text);
  for (const auto& error : parsed.errors) FAIL_CHECK(error.message);
  Texts all;
  for (const auto& dropped : parsed.dropped) {
    for (auto& one : messages(dropped.errors)) all.push_back(std::move(one));
  }
  return all;
}

// What costs nothing but itself, of a file that is read.
inline Texts warnings(std::string_view text) {
  auto parsed = parse(text);
  for (const auto& error : parsed.errors) FAIL_CHECK(error.message);
  for (const auto& dropped : parsed.dropped) FAIL_CHECK(dropped.place);
  return parsed.warnings;
}

inline bool contains_text(const Texts& lines, std::string_view text) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const auto& line) { return line.find(text) != std::string::npos; });
}

}  // namespace railhead::test
