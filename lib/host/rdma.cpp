#include "host/rdma.hpp"

namespace railhead::host {

std::string_view to_string(RdmaNetnsMode mode) {
  return mode == RdmaNetnsMode::shared ? "shared" : "exclusive";
}

}  // namespace railhead::host
