#include "ipc/schema.hpp"

#include <utility>

namespace railhead::ipc {
namespace {

constexpr int kSchema = 1;  // raised when a key's meaning changes

}  // namespace

Json begin_answer() { return {{"schema", kSchema}}; }

Json begin_question(std::string_view verb) { return {{"schema", kSchema}, {"verb", verb}}; }

void put(Json& json, const char* key, const std::string& value) {
  if (!value.empty()) json[key] = value;
}

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Json> parse_object(std::string_view text) {
  auto json = go_json::parse(text);
  if (!json) return json;
  if (!json->is_object()) {
    return fail(ErrorCode::decode, "expected an object, got {}", go_json::quote(*json));
  }
  std::vector<Error> errors;
  go_json::Object object(*json, "", errors);
  const auto schema = object.integer("schema");
  if (errors.empty() && (!schema || *schema < 1 || *schema > kSchema + 1)) {
    object.error("schema", schema ? fmt::format("expected 1 to {}, got {}", kSchema + 1, *schema)
                                  : std::string("missing"));
  }
  if (!errors.empty()) return fail(ErrorCode::decode, "{}", errors.front().message);
  return json;
}

std::string required(go_json::Object& object, std::string_view key) {
  const bool is_there = object.value(key) != nullptr;
  auto value = object.string(key);
  if (!is_there || (value && value->empty())) object.error(key, "missing");
  return value ? std::move(*value) : std::string();
}

std::string optional(go_json::Object& object, std::string_view key) {
  return object.string(key).value_or("");
}

}  // namespace railhead::ipc
