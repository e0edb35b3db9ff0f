#include "plugin/grant/bounds.hpp"

#include <algorithm>

namespace railhead::grant {

BoundedEnvironment within_bounds(std::map<std::string, std::string> envs) {
  BoundedEnvironment bounded{std::move(envs), {}};
  size_t sum = 0;
  for (const auto& [name, value] : bounded.envs) sum += environment_bytes(name, value);
  while (!bounded.envs.empty()) {
    const auto largest = std::ranges::max_element(
        bounded.envs, {}, [](const auto& one) { return environment_bytes(one.first, one.second); });
    const size_t bytes = environment_bytes(largest->first, largest->second);
    if (bytes <= kMaxVariableBytes && sum <= kMaxEnvironmentBytes) break;
    bounded.left_out.push_back({largest->first, bytes});
    sum -= bytes;
    bounded.envs.erase(largest);
  }
  return bounded;
}

}  // namespace railhead::grant
