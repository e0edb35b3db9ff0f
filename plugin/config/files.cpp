#include "plugin/config/files.hpp"

#include <algorithm>
#include <cerrno>

#include "host/files.hpp"

namespace railhead::config {
namespace {

bool counts(std::string_view name) {
  return !name.starts_with('.') &&
         (name.ends_with(".json") || name.ends_with(".yaml") || name.ends_with(".yml"));
}

}  // namespace

Result<std::vector<Source>> read_sources(const std::string& path) {
  const auto folder = host::Directory::open(path);
  if (!folder && folder.error().os_errno == ENOTDIR) {
    auto text = host::read_file(path);
    if (!text) return pass(text);
    return std::vector{Source{"", std::move(*text)}};
  }
  if (!folder) return pass(folder);
  auto names = folder->list(".");
  if (!names) return pass(names, path);
  std::sort(names->begin(), names->end());
  std::vector<Source> sources;
  for (const auto& name : *names) {
    if (!counts(name)) continue;
    auto file = fmt::format("{}/{}", path, name);
    auto text = host::read_file(file);
    if (!text) return pass(text);
    sources.push_back({std::move(file), std::move(*text)});
  }
  if (sources.empty()) {
    return fail(ErrorCode::not_found, "{}: no *.json, *.yaml or *.yml in this folder", path);
  }
  return sources;
}

}  // namespace railhead::config
