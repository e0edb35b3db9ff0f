#pragma once
#include <cstdint>
#include <string_view>

namespace railhead {

inline constexpr uint64_t kFnvStart = 0xcbf29ce484222325;

// FNV-1a: the same on every machine and in every version. Not for what an enemy chooses.
[[nodiscard]] constexpr uint64_t fnv1a(std::string_view bytes, uint64_t hash = kFnvStart) {
  for (const char byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3;
  return hash;
}

}  // namespace railhead
