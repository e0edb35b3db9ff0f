#include "kubelet/checkpoint.hpp"

#include "plugin/kubelet/saved_answer.hpp"

// Kubelet's checkpoint: JSON, and in it base64 of protobuf messages.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto saved =
      railhead::kubelet::parse_checkpoint({reinterpret_cast<const char*>(data), size});
  if (!saved) return 0;
  for (const auto& one : *saved) {
    (void)railhead::kubelet::parse_answer(one.answer);
    (void)railhead::kubelet::devices_of(*saved, one.pod_uid);
  }
  return 0;
}
