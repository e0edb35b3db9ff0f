#include <cstdint>
#include <cstdlib>

#include "ipc/message.hpp"
#include "ipc/owner.hpp"

// What the agent sends: as bytes, and as the text in them.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railhead::ipc;
  const std::string_view received(reinterpret_cast<const char*>(data), size);
  const auto text = text_of(received);
  const auto answer = decode_answer(text && *text ? **text : received);
  if (answer && decode_answer(encode(*answer)) != answer) std::abort();
  return 0;
}
