#include "ipc/question.hpp"

#include "ipc/schema.hpp"

namespace railhead::ipc {

std::string encode(const Error& error) {
  auto json = begin_answer();
  json["error"] = error.message;
  return text_of(json);
}

Result<Question> decode_question(std::string_view text) {
  return decode(text, [](go_json::Object& object) -> Question {
    const auto verb = required(object, "verb");
    if (verb == kOwner) return read_owner_question(object);
    if (verb == kResolve) return read_resolve_question(object);
    if (verb == kNad) return read_nad_question(object);
    if (verb == kPod) return read_pod_question(object);
    if (!verb.empty()) {
      object.error("verb", fmt::format("expected {}, {}, {} or {}, got {}", kOwner, kResolve, kNad,
                                       kPod, go_json::quote(verb)));
    }
    return OwnerQuestion();
  });
}

}  // namespace railhead::ipc
