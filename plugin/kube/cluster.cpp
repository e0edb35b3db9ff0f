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
// Pods that have run to their end are nobody's to ask for.
constexpr std::string_view kNotEnded = "%2Cstatus.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed";
constexpr unsigned kEventTries = 3;
constexpr unsigned kClaimTries = 5;
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
  auto object = read(parsed(reply->body));
  if (!object) return {Known::unknown, {}, object.error().message};
  return {Known::yes, std::move(*object), {}};
}

// A pod as the API server has it, with an annotation more. not_found: another one has its name.
Result<std::string> with_annotation(const std::string& pod, const std::string& uid,
                                    const std::string& key, const std::string& text) {
  auto json = parsed(pod);
  if (!json.is_object() || !json.contains("metadata") || !json["metadata"].is_object()) {
    return fail(ErrorCode::invalid_argument, "the API server's answer is no pod");
  }
  auto& metadata = json["metadata"];
  const auto& own = metadata["uid"];
  if (!uid.empty() && own != uid) {
    return fail(ErrorCode::not_found, "another pod has come in its place");
  }
  auto& annotations = metadata["annotations"];
  if (!annotations.is_object()) annotations = Json::object();
  annotations[key] = text;
  return dump(json);
}

std::string status_key(const Name& pod, const std::string& uid) {
  return "status/" + (uid.empty() ? pod.text() : uid);
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
      pods_(read_pod, options_.pods, log, [] {}),
      nads_(read_nad, options_.nads, log, [] {}),
      slices_(read_slice, options_.slices, log, [this] { tell_claimed(); }),
      pod_reflector_({.what = "pods",
                      .path = std::string(kPods),
                      .selector = "fieldSelector=spec.nodeName%3D" + escaped(options_.node) +
                                  std::string(kNotEnded)},
                     loop, clock, client, pods_, log),
      nad_reflector_({.what = "network-attachment-definitions", .path = std::string(kNads)}, loop,
                     clock, client, nads_, log),
      slice_reflector_({.what = "resourceslices",
                        .path = std::string(kSlices),
                        .selector = "fieldSelector=spec.nodeName%3D" + escaped(options_.node),
                        .may_be_missing = true},
                       loop, clock, client, slices_, log),
      writer_(options_.writing, loop, clock, client, log) {}

void Cluster::start() {
  pod_reflector_.start();
  nad_reflector_.start();
  if (options_.claims) slice_reflector_.start();
}

void Cluster::stop() {
  pod_reflector_.stop();
  nad_reflector_.stop();
  slice_reflector_.stop();
  gets_.clear();
  writer_.stop();
}

std::vector<ClaimedDevice> Cluster::claimed_devices() const {
  std::vector<ClaimedDevice> all;
  for (const auto& [name, slice] : slices_.all()) {
    all.insert(all.end(), slice.devices.begin(), slice.devices.end());
  }
  return all;
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
  if (const auto* known = nads_.find(name)) return then({Known::yes, *known, {}});
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

// With the UID a pod that has come in this one's place refuses the patch, by a 409 that others have
// too: then the pod is read. So it is where the role may replace a pod's status and not patch it,
// as Multus' may. Whoever may do neither comes again.
void Cluster::write_status(const Name& pod, const std::string& uid, const std::string& text,
                           Writer::Done done) {
  Json body{{"metadata", {{"annotations", {{std::string(kNetworkStatus), text}}}}}};
  if (!uid.empty()) body["metadata"]["uid"] = uid;
  const Request patch{.method = "PATCH",
                      .path = path_of_pod(pod) + "/status",
                      .body = dump(body),
                      .content_type = "application/strategic-merge-patch+json"};
  const Request read{.path = path_of_pod(pod)};
  const auto next = [=, this, by_patch = may_patch_](
                        const Request& asked,
                        const Reply& reply) mutable -> Result<std::optional<Request>> {
    const bool is_refused = reply.status == 403;
    if (asked.method == "PATCH" && (is_refused || reply.status == 409)) {
      by_patch = !is_refused;
      return read;
    }
    if (asked.method == "GET" && reply.is_good()) {
      auto changed = with_annotation(reply.body, uid, std::string(kNetworkStatus), text);
      if (!changed) return pass(changed);
      if (by_patch) return patch;
      return Request{.method = "PUT",
                     .path = patch.path,
                     .body = std::move(*changed),
                     .content_type = "application/json"};
    }
    if (asked.method != "PATCH" && is_refused) return patch;
    if (asked.method == "PUT" && reply.status == 409) return read;  // changed meanwhile
    if (asked.method == "PUT" && reply.is_good()) may_patch_ = false;
    return std::nullopt;
  };
  writer_.put(status_key(pod, uid), may_patch_ ? patch : read, 0, std::move(done), next);
}

void Cluster::drop_status(const Name& pod, const std::string& uid) {
  writer_.drop(status_key(pod, uid));
}

// By an apply (KEP-555) in this pod's name: what a driver says there of a device stays, and what is
// said of another pod that shares the claim.
void Cluster::write_claims(const Name& name, const std::string& uid,
                           const std::vector<AttachedDevice>& attached) {
  if (attached.empty()) return;
  pod(name, uid, [this, name, uid, attached](const Found<Pod>& found) {
    if (found.known != Known::yes) return;
    for (const auto& claim : found.object.claims) {
      const auto path = path_of_claim({name.namespace_, claim});
      const auto next = [this, path, uid, attached](
                            const Request& asked,
                            const Reply& reply) -> Result<std::optional<Request>> {
        if (asked.method != "GET" || !reply.is_good()) return std::nullopt;
        auto status = claim_status(reply.body, claimed_devices(), attached);
        if (!status) return std::nullopt;
        return Request{.method = "PATCH",
                       .path = path + "/status?fieldManager=railhead-" + escaped(uid),
                       .body = std::move(*status),
                       .content_type = "application/apply-patch+yaml"};
      };
      writer_.put(fmt::format("claim/{}/{}/{}", name.namespace_, claim, uid), {.path = path},
                  kClaimTries, {}, next);
    }
  });
}

void Cluster::write_condition(const Condition& condition) {
  const auto now = rfc3339_now();
  auto& [was_true, since] = conditions_[condition.type];
  if (since.empty() || was_true != condition.is_true) since = now;
  was_true = condition.is_true;
  const Json one{{"type", condition.type},     {"status", condition.is_true ? "True" : "False"},
                 {"reason", condition.reason}, {"message", condition.message},
                 {"lastHeartbeatTime", now},   {"lastTransitionTime", since}};
  writer_.put("condition/" + condition.type,
              {.method = "PATCH",
               .path = path_of_node(options_.node) + "/status",
               .body = dump({{"status", {{"conditions", Json::array({one})}}}}),
               .content_type = "application/strategic-merge-patch+json"},
              0, {});
}

void Cluster::tell(const Name& pod, const std::string& uid, const Event& event) {
  const auto message = event.message.substr(0, kEventMessage);
  const auto key = fmt::format("event/{}/{}/{}/{}", pod.text(), uid, event.reason, message);
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
              {"message", message},
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
    if (reflector == &slice_reflector_ && !options_.claims) continue;
    if (!reflector->trouble().empty())
      all.push_back(fmt::format("{}: {}", what, reflector->trouble()));
  }
  if (!writer_.trouble().empty()) all.push_back("writing: " + writer_.trouble());
  return all;
}

}  // namespace railhead::kube
