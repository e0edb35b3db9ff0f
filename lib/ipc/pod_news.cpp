#include "ipc/pod_news.hpp"

#include "ipc/schema.hpp"

namespace railhead::ipc {

std::string news_folder_in(const std::string& run) { return run + "/news"; }

std::string encode(const PodNews& news) {
  auto json = begin_answer();
  put(json, "podNamespace", news.pod_namespace);
  put(json, "podName", news.pod_name);
  put(json, "podUid", news.pod_uid);
  put(json, "networkStatus", news.network_status);
  auto& events = json["events"] = Json::array();
  for (const auto& event : news.events) {
    auto& one = events.emplace_back(Json{{"reason", event.reason}, {"message", event.message}});
    if (event.is_warning) one["warning"] = true;
  }
  auto& attached = json["attached"] = Json::array();
  for (const auto& one : news.attached) {
    auto& entry = attached.emplace_back(Json{{"device", one.device}, {"interface", one.ifname}});
    put(entry, "mac", one.mac);
    if (!one.ips.empty()) entry["ips"] = one.ips;
    put(entry, "resource", one.resource);
  }
  for (const auto& one : news.shared) {
    auto& entry = json["shared"].emplace_back(Json{{"parent", one.parent}});
    put(entry, "interface", one.ifname);
    put(entry, "mac", one.mac);
    if (!one.ips.empty()) entry["ips"] = one.ips;
  }
  return text_of(json);
}

Result<PodNews> decode_pod_news(std::string_view text) {
  return decode(text, [](go_json::Object& object) {
    PodNews news{required(object, "podNamespace"),
                 required(object, "podName"),
                 optional(object, "podUid"),
                 optional(object, "networkStatus"),
                 {},
                 {}};
    const auto events = object.objects("events");
    for (auto event : events ? *events : std::vector<go_json::Object>{}) {
      news.events.push_back({event.boolean("warning").value_or(false), required(event, "reason"),
                             optional(event, "message")});
    }
    const auto attached = object.objects("attached");
    for (auto one : attached ? *attached : std::vector<go_json::Object>{}) {
      news.attached.push_back(
          {required(one, "device"), required(one, "interface"), optional(one, "mac"),
           one.strings("ips").value_or(std::vector<std::string>{}), optional(one, "resource")});
    }
    const auto shared = object.objects("shared");
    for (auto one : shared ? *shared : std::vector<go_json::Object>{}) {
      news.shared.push_back({required(one, "parent"), required(one, "interface"),
                             optional(one, "mac"),
                             one.strings("ips").value_or(std::vector<std::string>{})});
    }
    return news;
  });
}

}  // namespace railhead::ipc
