#include <cstdint>
#include <cstdlib>

#include "ipc/message.hpp"
#include "ipc/owner.hpp"
#include "ipc/resolve.hpp"

// What the agent sends: as bytes, and as the text in them.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railhead::ipc;
  const std::string_view received(reinterpret_cast<const char*>(data), size);
  const auto text = text_of(received);
  const auto answer = text && *text ? **text : received;
  const auto owner = decode_owner_answer(answer);
  if (owner && decode_owner_answer(encode(*owner)) != owner) std::abort();
  const auto devices = decode_resolve_answer(answer);
  if (devices && decode_resolve_answer(encode(*devices)) != devices) std::abort();
  return 0;
}
