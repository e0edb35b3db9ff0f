#include <cstdint>
#include <cstdlib>

#include "ipc/message.hpp"
#include "ipc/question.hpp"

// What whoever connects to the agent sends: as bytes, and as the text in them.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railhead::ipc;
  const std::string_view received(reinterpret_cast<const char*>(data), size);
  const auto text = text_of(received);
  if (text && *text && to_message(**text) != std::string(received)) std::abort();
  const auto question = decode_question(text && *text ? **text : received);
  if (!question) return 0;
  const auto again = std::visit([](const auto& asked) { return encode(asked); }, *question);
  if (decode_question(again) != question) std::abort();
  return 0;
}
