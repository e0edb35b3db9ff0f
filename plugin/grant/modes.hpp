#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace railhead::grant {

// The permissions of the host's device node "/dev/…", as it is seen under `dev`. Where it is not
// seen, as in a container, those that the node comes into being with.
[[nodiscard]] uint32_t node_mode(const std::string& dev, std::string_view host_path);

}  // namespace railhead::grant
