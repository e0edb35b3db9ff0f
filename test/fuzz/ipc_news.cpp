#include "ipc/cluster.hpp"
#include "ipc/pod_news.hpp"

// What the CNI program leaves, and what the agent answers of the cluster.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railhead::ipc;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto news = decode_pod_news(text)) {
    const auto again = decode_pod_news(encode(*news));
    if (!again || *again != *news) __builtin_trap();
  }
  if (const auto nad = decode_nad_answer(text)) (void)encode(*nad);
  if (const auto pod = decode_pod_answer(text)) (void)encode(*pod);
  return 0;
}
