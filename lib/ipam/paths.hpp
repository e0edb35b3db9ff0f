#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace railhead::ipam {

// The path without double and trailing slashes, where it is absolute and leads nowhere back.
std::optional<std::string> plain_path(std::string_view path);
// What of such a path is below such a folder, "" for the folder itself.
std::optional<std::string> below(std::string_view path, std::string_view folder);

}  // namespace railhead::ipam
