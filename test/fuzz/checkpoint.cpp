#include "plugin/kubelet/checkpoint.hpp"

// Kubelet's checkpoint: JSON, and in it base64 of protobuf messages.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto saved =
      railhead::kubelet::parse_checkpoint({reinterpret_cast<const char*>(data), size});
  if (saved) (void)railhead::kubelet::containers_of(*saved);
  return 0;
}
