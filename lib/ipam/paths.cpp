#include "ipam/paths.hpp"

#include "base/text.hpp"

namespace railhead::ipam {

std::optional<std::string> plain_path(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::string plain;
  for (const auto part : split(path, '/')) {
    if (part == "." || part == "..") return std::nullopt;
    if (!part.empty()) plain.append("/").append(part);
  }
  return plain;
}

std::optional<std::string> below(std::string_view path, std::string_view folder) {
  if (folder.empty() || !path.starts_with(folder)) return std::nullopt;
  path.remove_prefix(folder.size());
  if (!path.empty() && path.front() != '/') return std::nullopt;
  return std::string(path.empty() ? path : path.substr(1));
}

}  // namespace railhead::ipam
