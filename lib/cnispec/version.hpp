#pragma once
// The versions of the CNI protocol.
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace railhead::cnispec {

inline constexpr std::array<std::string_view, 7> kSupportedVersions = {
    "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};
inline constexpr std::string_view kCurrentVersion = kSupportedVersions.back();
// What a configuration without "cniVersion" means.
inline constexpr std::string_view kImpliedVersion = "0.1.0";

struct Version {
  uint32_t major = 0;
  uint32_t minor = 0;
  uint32_t micro = 0;

  static std::optional<Version> parse(std::string_view text);  // "1.1.0", "1.1", "1"
  friend auto operator<=>(const Version&, const Version&) = default;
};

bool is_supported(std::string_view version);

// What CNI_COMMAND=VERSION prints, on one line.
std::string version_json();

}  // namespace railhead::cnispec
