#pragma once
// What the texts of all verbs have in common; for this folder's .cpp files.
//
// What is not known is left out, keys that nobody knows are ignored, and a wrong type is an error
// that names its key. Each side reads its own schema, the one before and the next.
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/go_json.hpp"

namespace railhead::ipc {

using Json = nlohmann::ordered_json;

// {"schema":1}, {"schema":1,"verb":"owner"}
[[nodiscard]] Json begin_answer();
[[nodiscard]] Json begin_question(std::string_view verb);
// Nothing where the value is "".
void put(Json& json, const char* key, const std::string& value);
// A name that is no UTF-8 is nobody's: with other letters in it, it still is.
[[nodiscard]] std::string text_of(const Json& json);

// The object that a text is, of a schema that can be read. Errors: decode.
[[nodiscard]] Result<Json> parse_object(std::string_view text);

// A key that is missing, or "", is an error of the object.
[[nodiscard]] std::string required(go_json::Object& object, std::string_view key);
[[nodiscard]] std::string optional(go_json::Object& object, std::string_view key);
// The one of `words`, two or more, that is the key's text. Anything else is an error of the object,
// and reads as the last of them.
template <class Word>
[[nodiscard]] Word one_of(go_json::Object& object, std::string_view key,
                          const std::vector<Word>& words) {
  const auto text = required(object, key);
  std::vector<std::string_view> expected;
  for (const auto word : words) {
    if (text == to_string(word)) return word;
    expected.push_back(to_string(word));
  }
  if (!text.empty()) {
    object.error(key, fmt::format("expected {} or {}, got {}",
                                  fmt::join(expected.begin(), expected.end() - 1, ", "),
                                  expected.back(), go_json::quote(text)));
  }
  return words.back();
}

// What `read` makes of the text's object, whose getters tell what is wrong in it. Errors: decode.
template <class Read>
auto decode(std::string_view text, Read read)
    -> Result<std::invoke_result_t<Read, go_json::Object&>> {
  const auto json = parse_object(text);
  if (!json) return pass(json);
  std::vector<Error> errors;
  go_json::Object object(*json, "", errors);
  auto value = read(object);
  if (!errors.empty()) return fail(ErrorCode::decode, "{}", errors.front().message);
  return value;
}

// The same of an answer. Errors: decode, unavailable (the text is an encoded error).
template <class Read>
auto decode_answer(std::string_view text, Read read)
    -> Result<std::invoke_result_t<Read, go_json::Object&>> {
  std::optional<std::string> refusal;
  auto answer = decode(text, [&](go_json::Object& object) {
    refusal = object.string("error");
    return refusal ? std::invoke_result_t<Read, go_json::Object&>{} : read(object);
  });
  if (answer && refusal) return fail(ErrorCode::unavailable, "{}", *refusal);
  return answer;
}

// A question's object but for its verb, which has been read.
struct OwnerQuestion;
struct ResolveQuestion;
struct NadQuestion;
struct PodQuestion;
[[nodiscard]] OwnerQuestion read_owner_question(go_json::Object& object);
[[nodiscard]] ResolveQuestion read_resolve_question(go_json::Object& object);
[[nodiscard]] NadQuestion read_nad_question(go_json::Object& object);
[[nodiscard]] PodQuestion read_pod_question(go_json::Object& object);

}  // namespace railhead::ipc
