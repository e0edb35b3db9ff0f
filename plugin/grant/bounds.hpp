#pragma once
// How much environment a container's processes can have. What is larger makes every exec in the
// container fail with E2BIG, its first one included.
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace railhead::grant {

// Of one variable, "NAME=value" and its NUL: execve(2)'s MAX_ARG_STRLEN, 32 pages of 4 KiB.
inline constexpr size_t kMaxVariableBytes = 128 * 1024;
// Of all variables of one resource: a quarter of what execve(2) takes of arguments and environment
// together under the usual stack limit of 8 MiB (a quarter of that), so that a container may have
// several resources and variables of its own. Kubelet keeps each answer in its checkpoint, too.
inline constexpr size_t kMaxEnvironmentBytes = 512 * 1024;

// "NAME=value" and its NUL.
[[nodiscard]] inline size_t environment_bytes(const std::string& name, const std::string& value) {
  return name.size() + value.size() + 2;
}

struct LeftOutVariable {
  std::string name;
  size_t bytes = 0;
  friend bool operator==(const LeftOutVariable&, const LeftOutVariable&) = default;
};

struct BoundedEnvironment {
  std::map<std::string, std::string> envs;
  std::vector<LeftOutVariable> left_out;
};

// Leaves out each variable above its limit, then the largest ones until the rest is within theirs.
[[nodiscard]] BoundedEnvironment within_bounds(std::map<std::string, std::string> envs);

}  // namespace railhead::grant
