#include "test/vm/watchers/dump_node/text.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace dump_node {

namespace fs = std::filesystem;

void die(const std::string& what) {
  std::perror(what.c_str());
  std::exit(1);
}

std::string hex(Bytes bytes) {
  std::string out;
  for (const char byte : bytes) {
    out += text(out.empty() ? "%02x" : ":%02x", static_cast<unsigned char>(byte));
  }
  return out;
}

std::string joined(Lines words) {
  std::sort(words.begin(), words.end());
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

Lines names_in(const fs::path& folder) {
  Lines names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string link_target(const fs::path& path) {
  std::error_code error;
  return fs::read_symlink(path, error).filename();
}

}  // namespace dump_node
