#include <cstdint>
#include <cstdlib>

#include "plugin/http/message.hpp"

// What whoever connects to the agent sends, up to where the server would stop reading.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view received(reinterpret_cast<const char*>(data), size);
  const auto end = railhead::http::head_end(received);
  if (!end) return 0;
  if (*end > size) std::abort();
  const auto parsed = railhead::http::parse_head(received.substr(0, *end));
  if (parsed.request && !parsed.request->path.starts_with('/')) std::abort();
  return 0;
}
