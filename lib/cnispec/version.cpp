#include "cnispec/version.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace railhead::cnispec {

std::optional<Version> Version::parse(std::string_view text) {
  const auto parts = split(text, '.');
  if (parts.size() > 3) return std::nullopt;
  std::array<uint32_t, 3> numbers{};
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto number = parse_int<uint32_t>(parts[i]);
    if (!number) return std::nullopt;
    numbers[i] = *number;
  }
  return Version{numbers[0], numbers[1], numbers[2]};
}

bool is_supported(std::string_view version) {
  return std::find(kSupportedVersions.begin(), kSupportedVersions.end(), version) !=
         kSupportedVersions.end();
}

std::string version_json() {
  const nlohmann::ordered_json json = {{"cniVersion", kCurrentVersion},
                                       {"supportedVersions", kSupportedVersions}};
  return json.dump() + '\n';
}

}  // namespace railhead::cnispec
