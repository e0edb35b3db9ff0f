#pragma once
#include <string>
#include <vector>

#include "plugin/config/config.hpp"

namespace railhead::config {

// The configuration that stands at `path`: a file, or a folder of which every *.json, *.yaml and
// *.yml counts, by name. Names that begin with a dot do not count: a mounted ConfigMap keeps its
// versions there. Only of a folder's files is the name told. Nothing waits: what is no regular
// file, or too large, is refused before it is read. Errors: not_found (also a folder without any),
// invalid_argument (its kind or size), io.
[[nodiscard]] Result<std::vector<Source>> read_sources(const std::string& path);

}  // namespace railhead::config
