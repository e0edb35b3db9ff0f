#pragma once
#include <array>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace dump_node {

using Lines = std::vector<std::string>;
using Bytes = std::span<const char>;

[[noreturn]] void die(const std::string& what);

template <class... Values>
std::string text(const char* format, Values... values) {
  std::array<char, 512> line{};
  std::snprintf(line.data(), line.size(), format, values...);
  return line.data();
}

// "02:00:5e"
std::string hex(Bytes bytes);
// Sorted.
std::string joined(Lines words);

// Empty where there is no such file.
std::string first_line(const std::filesystem::path& path);
// Sorted; none where there is no such folder.
Lines names_in(const std::filesystem::path& folder);
// The last name of where it leads; empty where it is no link.
std::string link_target(const std::filesystem::path& path);

}  // namespace dump_node
