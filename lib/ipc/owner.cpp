#include "ipc/owner.hpp"

#include <array>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"

namespace railhead::ipc {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;  // raised when a key's meaning changes
constexpr std::string_view kOwner = "owner";
constexpr std::string_view kAttachment = "attachment";
constexpr std::array kStates = {OwnerState::held, OwnerState::free, OwnerState::unknown};

void put(Json& json, const char* key, const std::string& value) {
  if (!value.empty()) json[key] = value;
}

// A name that is no UTF-8 is nobody's: with other letters in it, it still is.
std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// What `read` makes of a text's object, whose getters tell what is wrong in it.
template <class Read>
auto decode(std::string_view text, Read read)
    -> Result<std::invoke_result_t<Read, go_json::Object&>> {
  const auto json = go_json::parse(text);
  if (!json) return pass(json);
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
  auto value = read(object);
  if (!errors.empty()) return fail(ErrorCode::decode, "{}", errors.front().message);
  return value;
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

OwnerState read_state(go_json::Object& object) {
  const auto text = required(object, "state");
  for (const auto state : kStates) {
    if (text == to_string(state)) return state;
  }
  if (!text.empty()) {
    object.error("state",
                 fmt::format("expected held, free or unknown, got {}", go_json::quote(text)));
  }
  return OwnerState::unknown;
}

}  // namespace

std::string_view to_string(OwnerState state) {
  switch (state) {
    case OwnerState::held:
      return "held";
    case OwnerState::free:
      return "free";
    case OwnerState::unknown:
      return "unknown";
  }
  return "";
}

std::string OwnerAnswer::who() const {
  if (!pod_name.empty()) return fmt::format("{}/{}", pod_namespace, pod_name);
  return pod_uid.empty() ? "a pod" : fmt::format("pod {}", pod_uid);
}

bool is_of_another(const OwnerAnswer& answer, std::string_view pod_namespace,
                   std::string_view pod_name) {
  if (answer.state != OwnerState::held || answer.pod_name.empty()) return false;
  if (answer.source == kAttachment) return false;
  return answer.pod_namespace != pod_namespace || answer.pod_name != pod_name;
}

std::string encode(const OwnerQuestion& question) {
  Json json = {{"schema", kSchema}, {"verb", kOwner}, {"device", question.device}};
  put(json, "podNamespace", question.pod_namespace);
  put(json, "podName", question.pod_name);
  return text_of(json);
}

std::string encode(const OwnerAnswer& answer) {
  Json json = {{"schema", kSchema}, {"state", to_string(answer.state)}};
  put(json, "podNamespace", answer.pod_namespace);
  put(json, "podName", answer.pod_name);
  put(json, "podUid", answer.pod_uid);
  put(json, "container", answer.container);
  put(json, "resource", answer.resource);
  put(json, "source", answer.source);
  return text_of(json);
}

std::string encode(const Error& error) {
  return text_of({{"schema", kSchema}, {"error", error.message}});
}

Result<OwnerQuestion> decode_question(std::string_view text) {
  return decode(text, [](go_json::Object& object) {
    const auto verb = required(object, "verb");
    if (!verb.empty() && verb != kOwner) {
      object.error("verb", fmt::format("expected {}, got {}", kOwner, go_json::quote(verb)));
    }
    OwnerQuestion question;
    question.device = required(object, "device");
    question.pod_namespace = optional(object, "podNamespace");
    question.pod_name = optional(object, "podName");
    return question;
  });
}

Result<OwnerAnswer> decode_answer(std::string_view text) {
  std::optional<std::string> refusal;
  auto answer = decode(text, [&](go_json::Object& object) {
    OwnerAnswer read;
    if (refusal = object.string("error"); refusal) return read;
    read.state = read_state(object);
    read.pod_namespace = optional(object, "podNamespace");
    read.pod_name = optional(object, "podName");
    read.pod_uid = optional(object, "podUid");
    read.container = optional(object, "container");
    read.resource = optional(object, "resource");
    read.source = optional(object, "source");
    return read;
  });
  if (answer && refusal) return fail(ErrorCode::unavailable, "{}", *refusal);
  return answer;
}

}  // namespace railhead::ipc
