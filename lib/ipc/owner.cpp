#include "ipc/owner.hpp"

#include "ipc/schema.hpp"

namespace railhead::ipc {
namespace {

constexpr std::string_view kAttachment = "attachment";

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
  auto json = begin_question(kOwner);
  json["device"] = question.device;
  put(json, "podNamespace", question.pod_namespace);
  put(json, "podName", question.pod_name);
  return text_of(json);
}

std::string encode(const OwnerAnswer& answer) {
  auto json = begin_answer();
  json["state"] = to_string(answer.state);
  put(json, "podNamespace", answer.pod_namespace);
  put(json, "podName", answer.pod_name);
  put(json, "podUid", answer.pod_uid);
  put(json, "container", answer.container);
  put(json, "resource", answer.resource);
  put(json, "source", answer.source);
  return text_of(json);
}

OwnerQuestion read_owner_question(go_json::Object& object) {
  OwnerQuestion question;
  question.device = required(object, "device");
  question.pod_namespace = optional(object, "podNamespace");
  question.pod_name = optional(object, "podName");
  return question;
}

Result<OwnerAnswer> decode_owner_answer(std::string_view text) {
  return decode_answer(text, [](go_json::Object& object) {
    OwnerAnswer read;
    read.state = one_of(object, "state",
                        std::vector{OwnerState::held, OwnerState::free, OwnerState::unknown});
    read.pod_namespace = optional(object, "podNamespace");
    read.pod_name = optional(object, "podName");
    read.pod_uid = optional(object, "podUid");
    read.container = optional(object, "container");
    read.resource = optional(object, "resource");
    read.source = optional(object, "source");
    return read;
  });
}

}  // namespace railhead::ipc
