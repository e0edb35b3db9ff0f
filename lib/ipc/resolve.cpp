#include "ipc/resolve.hpp"

#include <optional>
#include <utility>

#include "ipc/schema.hpp"

namespace railhead::ipc {
namespace {

// Of a list that may be empty, but not missing.
template <class Value>
std::vector<Value> present(go_json::Object& object, std::string_view key,
                           std::optional<std::vector<Value>> list) {
  if (object.value(key) == nullptr) object.error(key, "missing");
  return std::move(list).value_or(std::vector<Value>());
}

ContainerDevices read_container(go_json::Object& object) {
  const auto container = required(object, "container");
  const auto resource = required(object, "resource");
  return {container, resource, present(object, "devices", object.strings("devices"))};
}

}  // namespace

std::string_view to_string(ResolveState state) {
  return state == ResolveState::known ? "known" : "unknown";
}

std::string encode(const ResolveQuestion& question) {
  auto json = begin_question(kResolve);
  put(json, "podNamespace", question.pod_namespace);
  put(json, "podName", question.pod_name);
  put(json, "podUid", question.pod_uid);
  return text_of(json);
}

std::string encode(const ResolveAnswer& answer) {
  auto json = begin_answer();
  json["state"] = to_string(answer.state);
  if (answer.state == ResolveState::known) {
    auto& containers = json["containers"] = Json::array();
    for (const auto& one : answer.containers) {
      containers.push_back(
          {{"container", one.container}, {"resource", one.resource}, {"devices", one.devices}});
    }
  }
  put(json, "source", answer.source);
  for (const auto& one : answer.far) {
    json["far"].push_back(
        {{"container", one.container}, {"device", one.device}, {"text", one.text}});
  }
  return text_of(json);
}

ResolveQuestion read_resolve_question(go_json::Object& object) {
  ResolveQuestion question{optional(object, "podNamespace"), optional(object, "podName"),
                           optional(object, "podUid")};
  if (!question.is_named() && question.pod_uid.empty()) {
    object.error("podUid", "missing, and podNamespace with podName is not there either");
  }
  return question;
}

Result<ResolveAnswer> decode_resolve_answer(std::string_view text) {
  return decode_answer(text, [](go_json::Object& object) {
    ResolveAnswer read;
    read.state = one_of(object, "state", std::vector{ResolveState::known, ResolveState::unknown});
    if (read.state == ResolveState::known) {
      for (auto& one : present(object, "containers", object.objects("containers"))) {
        read.containers.push_back(read_container(one));
      }
    }
    read.source = optional(object, "source");
    for (auto& one : object.objects("far").value_or(std::vector<go_json::Object>())) {
      read.far.push_back(
          {required(one, "container"), required(one, "device"), required(one, "text")});
    }
    return read;
  });
}

}  // namespace railhead::ipc
