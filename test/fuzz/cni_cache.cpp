// What other CNI plugins keep on disk of their attachments: sriov-cni's cache, and rdma-cni's.
#include <cstdint>
#include <string_view>
#include <tuple>

#include "attach/foreign_cache.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::ignore = railhead::attach::read_sriov_cache(input);
  std::ignore = railhead::attach::read_ib_sriov_cache(input);
  std::ignore = railhead::attach::read_rdma_cache(input);
  return 0;
}
