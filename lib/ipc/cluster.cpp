#include "ipc/cluster.hpp"

#include "ipc/schema.hpp"

namespace railhead::ipc {
namespace {

void put_pod(Json& json, const PodQuestion& pod) {
  put(json, "podNamespace", pod.pod_namespace);
  put(json, "podName", pod.pod_name);
  put(json, "podUid", pod.pod_uid);
}

PodQuestion read_pod(go_json::Object& object) {
  return {optional(object, "podNamespace"), optional(object, "podName"),
          optional(object, "podUid")};
}

ClusterState read_state(go_json::Object& object) {
  return one_of(object, "state",
                std::vector{ClusterState::known, ClusterState::missing, ClusterState::unknown});
}

}  // namespace

std::string_view to_string(ClusterState state) {
  switch (state) {
    case ClusterState::known:
      return "known";
    case ClusterState::missing:
      return "missing";
    case ClusterState::unknown:
      return "unknown";
  }
  return "";
}

std::string encode(const NadQuestion& question) {
  auto json = begin_question(kNad);
  json["namespace"] = question.namespace_;
  json["name"] = question.name;
  put_pod(json, question.pod);
  return text_of(json);
}

std::string encode(const NadAnswer& answer) {
  auto json = begin_answer();
  json["state"] = to_string(answer.state);
  put(json, "resource", answer.resource);
  put(json, "config", answer.config);
  put(json, "reason", answer.reason);
  return text_of(json);
}

std::string encode(const PodQuestion& question) {
  auto json = begin_question(kPod);
  put_pod(json, question);
  return text_of(json);
}

std::string encode(const PodAnswer& answer) {
  auto json = begin_answer();
  json["state"] = to_string(answer.state);
  if (answer.state == ClusterState::known) json["annotations"] = answer.annotations;
  put(json, "reason", answer.reason);
  return text_of(json);
}

NadQuestion read_nad_question(go_json::Object& object) {
  return {required(object, "namespace"), required(object, "name"), read_pod(object)};
}

PodQuestion read_pod_question(go_json::Object& object) {
  auto pod = read_pod(object);
  if (pod.pod_namespace.empty()) object.error("podNamespace", "missing");
  if (pod.pod_name.empty()) object.error("podName", "missing");
  return pod;
}

Result<NadAnswer> decode_nad_answer(std::string_view text) {
  return decode_answer(text, [](go_json::Object& object) {
    return NadAnswer{read_state(object), optional(object, "resource"), optional(object, "config"),
                     optional(object, "reason")};
  });
}

Result<PodAnswer> decode_pod_answer(std::string_view text) {
  return decode_answer(text, [](go_json::Object& object) {
    PodAnswer read{read_state(object), {}, optional(object, "reason")};
    if (read.state == ClusterState::known) {
      if (object.value("annotations") == nullptr) object.error("annotations", "missing");
      read.annotations =
          object.string_map("annotations").value_or(std::map<std::string, std::string>());
    }
    return read;
  });
}

}  // namespace railhead::ipc
