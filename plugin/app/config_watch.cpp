#include "plugin/app/config_watch.hpp"

#include <algorithm>

#include "host/files.hpp"

namespace railhead::app {

Result<ConfigWatch> ConfigWatch::open(const std::string& path) {
  auto watch = host::FolderWatch::open();
  if (!watch) return pass(watch, "the configuration");
  const auto slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  std::string file = path.substr(slash + 1);
  if (host::Directory::open(path)) {
    folder = path;
    file.clear();
  }
  const auto added = watch->add(folder, host::FolderWatch::What::names_and_contents);
  if (!added) return pass(added, "the configuration");
  return ConfigWatch(std::move(*watch), std::move(file));
}

bool ConfigWatch::touched() {
  const auto names = watch_.read_names();
  return std::ranges::any_of(names, [this](const auto& name) {
    return file_.empty() || name.empty() || name == "..data" || name == file_;
  });
}

}  // namespace railhead::app
