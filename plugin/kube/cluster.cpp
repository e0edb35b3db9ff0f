#include "plugin/kube/cluster.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace railhead::kube {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kNetworkStatus = "k8s.v1.cni.cncf.io/network-status";
constexpr unsigned kEventTries = 3;
constexpr size_t kToldEvents = 4'096;
constexpr size_t kEventMessage = 1'024;  // the API server takes no more

// What is no UTF-8 has other letters in it.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string rfc3339_now() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

// What a GET of one object says.
template <class Object>
Found<Object> found_in(const Result<Reply>& reply, Result<Object> (*read)(const Json&)) {
  if (!reply) return {Known::unknown, {}, reply.error().message};
  if (reply->status == 404) return {Known::missing, {}, {}};
  if (!reply->is_good()) return {Known::unknown, {}, refusal_of(reply->status, reply->body)};
  auto object = read(Json::parse(reply->body, nullptr, false));
  if (!object) return {Known::unknown, {}, object.error().message};
  return {Known::yes, std::move(*object), {}};
}

void check_uid(Found<Pod>& found, const std::string& uid) {
  if (found.known != Known::yes || uid.empty() || found.object.is(uid)) return;
  found = {Known::missing, {}, {}};
}

}  // namespace

Cluster::Cluster(Options options, Loop& loop, const Clock& clock, Client& client, Logger& log)
    : options_(std::move(options)),
      clock_(clock),
      client_(client),
      pods_(read_pod, {}, log, [] {}),
      nads_(read_nad, options_.nads, log, [] {}),
      slices_(read_slice, {}, log, [this] { tell_claimed(); }),
      pod_reflector_({.what = "pods",
                      .path = std::string(kPods),
                      .selector = "fieldSelector=spec.nodeName%3D" + escaped(options_.node)},
                     loop, clock, client, pods_, log),
      nad_reflector_({.what = "network-attachment-definitions", .path = std::string(kNads)}, loop,
                     clock, client, nads_, log),
      slice_reflector_({.what = "resourceslices",
                        .path = std::string(kSlices),
                        .selector = "fieldSelector=spec.nodeName%3D" + escaped(options_.node),
                        .may_be_missing = true},
                       loop, clock, client, slices_, log),
      writer_({}, loop, clock, client, log) {}

void Cluster::start() {
  pod_reflector_.start();
  nad_reflector_.start();
  slice_reflector_.start();
}

void Cluster::stop() {
  pod_reflector_.stop();
  nad_reflector_.stop();
  slice_reflector_.stop();
  gets_.clear();
  writer_.stop();
}

void Cluster::tell_claimed() const {
  std::vector<ClaimedDevice> all;
  for (const auto& [name, slice] : slices_.all()) {
    all.insert(all.end(), slice.devices.begin(), slice.devices.end());
  }
  claimed_(all);
}

// A pod is created before its sandbox, but the watch may be a moment behind.
void Cluster::pod(const Name& name, const std::string& uid, const WithPod& then) {
  if (const auto* known = pods_.find(name); known && (uid.empty() || known->is(uid))) {
    return then({Known::yes, *known, {}});
  }
  get(path_of_pod(name), [then, uid](const Result<Reply>& reply) {
    auto found = found_in<Pod>(reply, read_pod);
    check_uid(found, uid);
    then(found);
  });
}

void Cluster::nad(const Name& name, const WithNad& then) {
  if (const auto* known = nads_.find(name); known && known->is_whole)
    return then({Known::yes, *known, {}});
  get(path_of_nad(name),
      [then](const Result<Reply>& reply) { then(found_in<Nad>(reply, read_nad)); });
}

// Whoever asks for the same meanwhile gets the same answer.
void Cluster::get(const std::string& path, Then then) {
  const auto same = std::ranges::find(gets_, path, [](const auto& one) { return one->path; });
  if (same != gets_.end()) return (*same)->thens.push_back(std::move(then));
  gets_.push_back(std::make_shared<Get>(Get{path, {std::move(then)}, {}}));
  start_gets();
}

void Cluster::start_gets() {
  for (size_t i = 0; i < std::min(options_.gets, gets_.size()); ++i) {
    const auto& one = gets_[i];
    if (one->call) continue;
    one->call = client_.send({.path = one->path, .limit = options_.get},
                             [this, weak = std::weak_ptr(one)](const Result<Reply>& reply) {
                               const auto ended = weak.lock();
                               std::erase(gets_, ended);
                               for (const auto& then : ended->thens) then(reply);
                               start_gets();
                             });
  }
}

std::optional<std::string> Cluster::uid_of(const Name& name, const std::string& runtime_uid) const {
  if (runtime_uid.find('-') != std::string::npos || runtime_uid.empty()) return runtime_uid;
  const auto* pod = pods_.find(name);
  if (pod && pod->is(runtime_uid)) return pod->uid;
  return std::nullopt;
}

// With the UID a pod that has come in this one's place refuses it (409).
void Cluster::write_status(const Name& pod, const std::string& uid, const std::string& text,
                           Writer::Done done) {
  Json patch{{"metadata", {{"annotations", {{std::string(kNetworkStatus), text}}}}}};
  if (!uid.empty()) patch["metadata"]["uid"] = uid;
  writer_.put("status/" + (uid.empty() ? pod.text() : uid),
              {.method = "PATCH",
               .path = path_of_pod(pod) + "/status",
               .body = dump(patch),
               .content_type = "application/strategic-merge-patch+json"},
              0, std::move(done));
}

void Cluster::tell(const Name& pod, const std::string& uid, const Event& event) {
  const auto key = fmt::format("event/{}/{}/{}/{}", pod.text(), uid, event.reason, event.message);
  if (told_.size() >= kToldEvents) told_.clear();
  if (!told_.insert(key).second) return;
  const auto now = rfc3339_now();
  Json object{{"kind", "Event"},
              {"apiVersion", "v1"},
              {"metadata", {{"generateName", pod.name + "."}, {"namespace", pod.namespace_}}},
              {"involvedObject",
               {{"kind", "Pod"},
                {"apiVersion", "v1"},
                {"namespace", pod.namespace_},
                {"name", pod.name},
                {"uid", uid}}},
              {"reason", event.reason},
              {"message", event.message.substr(0, kEventMessage)},
              {"type", event.is_warning ? "Warning" : "Normal"},
              {"source", {{"component", "railhead"}, {"host", options_.node}}},
              {"firstTimestamp", now},
              {"lastTimestamp", now},
              {"count", 1}};
  writer_.put(key,
              {.method = "POST",
               .path = path_of_events(pod.namespace_),
               .body = dump(object),
               .content_type = "application/json"},
              kEventTries, {});
}

std::vector<std::string> Cluster::troubles() const {
  std::vector<std::string> all;
  for (const auto& [what, reflector] :
       {std::pair("resourceslices", &slice_reflector_), std::pair("pods", &pod_reflector_),
        std::pair("network-attachment-definitions", &nad_reflector_)}) {
    if (!reflector->trouble().empty())
      all.push_back(fmt::format("{}: {}", what, reflector->trouble()));
  }
  if (!writer_.trouble().empty()) all.push_back("writing: " + writer_.trouble());
  return all;
}

}  // namespace railhead::kube
