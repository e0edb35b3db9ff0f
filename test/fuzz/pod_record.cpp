#include "cni/meta/pod_record.hpp"

// What is on disk of a pod, as a crash or another version may leave it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railhead::cni;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto record = pod_record_from_json(text)) {
    (void)acts_of(*record);
    if (pod_record_from_json(to_json(*record)) != *record) __builtin_trap();
  }
  if (const auto progress = pod_progress_from_json(text)) {
    if (pod_progress_from_json(to_json(*progress)) != *progress) __builtin_trap();
  }
  return 0;
}
