#include "plugin/kube/objects.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/go_json.hpp"

namespace railhead::kube {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kNadResourceName = "k8s.v1.cni.cncf.io/resourceName";
constexpr size_t kMaxResource = 253 + 1 + 63;  // a DNS name and a label
constexpr std::string_view kResourceName = "k8s.cni.cncf.io/resourceName";
constexpr std::string_view kDeviceId = "k8s.cni.cncf.io/deviceID";
// Kubelet's (pkg/kubelet/types, ConfigMirrorAnnotationKey): the hash of the file, its pod's UID.
constexpr std::string_view kMirror = "kubernetes.io/config.mirror";
constexpr std::array<std::string_view, 2> kNetworkAnnotations = {
    "k8s.v1.cni.cncf.io/networks", "v1.multus-cni.io/default-network"};

// What `read` makes of an object and its metadata.
template <class Read>
auto read_object(const Json& json, Read read)
    -> Result<std::invoke_result_t<Read, go_json::Object&, go_json::Object&>> {
  if (!json.is_object())
    return fail(ErrorCode::decode, "expected an object, got {}", go_json::quote(json));
  std::vector<Error> errors;
  go_json::Object object(json, "", errors);
  auto metadata = object.object("metadata");
  if (!metadata) return fail(ErrorCode::decode, "metadata: missing");
  auto value = read(object, *metadata);
  if (!errors.empty()) return fail(ErrorCode::decode, "{}", errors.front().message);
  return value;
}

// An attribute of a device has one value, of one type: {"string": "rdma/vf"}.
std::string text_attribute(go_json::Object& attributes, std::string_view key) {
  const auto* value = attributes.value(key);
  const auto text = value && value->is_object() ? value->find("string") : Json::const_iterator();
  if (!value || !value->is_object() || text == value->end() || !text->is_string()) return "";
  return text->get<std::string>();
}

Name name_of(go_json::Object& metadata) {
  Name name{metadata.string("namespace").value_or(""), metadata.string("name").value_or("")};
  if (name.namespace_.empty()) metadata.error("namespace", "missing");
  if (name.name.empty()) metadata.error("name", "missing");
  return name;
}

// Those that stand for themselves (spec), were made for the pod, and are behind its extended
// resources.
std::vector<std::string> claims_of(go_json::Object& pod) {
  std::set<std::string> names;
  for (const auto& [part, list] :
       {std::pair("spec", "resourceClaims"), std::pair("status", "resourceClaimStatuses")}) {
    auto object = pod.object(part);
    if (!object) continue;
    const auto all = object->objects(list);
    for (auto one : all ? *all : std::vector<go_json::Object>{}) {
      names.insert(one.string("resourceClaimName").value_or(""));
    }
    auto extended = object->object("extendedResourceClaimStatus");
    if (extended) names.insert(extended->string("resourceClaimName").value_or(""));
  }
  names.erase("");
  return {names.begin(), names.end()};
}

}  // namespace

Result<Name> read_name(const Json& json) {
  return read_object(json, [](auto&, auto& metadata) {
    Name name{metadata.string("namespace").value_or(""), metadata.string("name").value_or("")};
    if (name.name.empty()) metadata.error("name", "missing");
    return name;
  });
}

Result<Pod> read_pod(const Json& json) {
  return read_object(json, [](auto& object, auto& metadata) {
    Pod pod{name_of(metadata), metadata.string("uid").value_or(""), {}, {}, claims_of(object)};
    if (pod.uid.empty()) metadata.error("uid", "missing");
    pod.annotations = metadata.string_map("annotations").value_or(decltype(pod.annotations)());
    const auto mirror = pod.annotations.find(std::string(kMirror));
    if (mirror != pod.annotations.end()) pod.mirror_of = mirror->second;
    std::erase_if(pod.annotations, [](const auto& one) {
      return std::ranges::find(kNetworkAnnotations, one.first) == kNetworkAnnotations.end();
    });
    return pod;
  });
}

Result<Nad> read_nad(const Json& json) {
  return read_object(json, [](auto& object, auto& metadata) {
    Nad nad{name_of(metadata), {}, {}};
    if (const auto annotations = metadata.string_map("annotations")) {
      const auto found = annotations->find(std::string(kNadResourceName));
      if (found != annotations->end()) nad.resource = found->second;
      if (nad.resource.size() > kMaxResource) {
        metadata.error("annotations",
                       fmt::format("{}: {} characters, expected at most {}", kNadResourceName,
                                   nad.resource.size(), kMaxResource));
      }
    }
    if (auto spec = object.object("spec")) nad.config = spec->string("config").value_or("");
    return nad;
  });
}

Result<Slice> read_slice(const Json& json) {
  return read_object(json, [](auto& object, auto& metadata) {
    Slice slice{{"", metadata.string("name").value_or("")}, {}};
    if (slice.name.name.empty()) metadata.error("name", "missing");
    auto spec = object.object("spec");
    if (!spec) return slice;
    const auto driver = spec->string("driver").value_or("");
    auto pool = spec->object("pool");
    const auto pool_name = pool ? pool->string("name").value_or("") : "";
    const auto devices = spec->objects("devices");
    for (auto device : devices ? *devices : std::vector<go_json::Object>{}) {
      auto attributes = device.object("attributes");
      if (!attributes) continue;
      ClaimedDevice one{driver, pool_name, device.string("name").value_or(""),
                        text_attribute(*attributes, kResourceName),
                        text_attribute(*attributes, kDeviceId)};
      if (!one.resource.empty() && !one.device.empty()) slice.devices.push_back(std::move(one));
    }
    return slice;
  });
}

namespace {
constexpr size_t kAround = 200;  // strings, a node of the map
size_t bytes_of(const Name& name) { return name.namespace_.size() + name.name.size() + kAround; }
}  // namespace

size_t bytes_of(const Pod& pod) {
  auto bytes = 2 * bytes_of(pod.name) + pod.uid.size() + pod.mirror_of.size();
  for (const auto& [key, value] : pod.annotations) bytes += key.size() + value.size() + kAround;
  for (const auto& claim : pod.claims) bytes += claim.size() + kAround;
  return bytes;
}

size_t bytes_of(const Nad& nad) {
  return 2 * bytes_of(nad.name) + nad.resource.size() + nad.config.size();
}

size_t bytes_of(const Slice& slice) {
  auto bytes = 2 * bytes_of(slice.name);
  for (const auto& one : slice.devices) {
    bytes += one.driver.size() + one.pool.size() + one.name.size() + one.resource.size() +
             one.device.size() + kAround;
  }
  return bytes;
}

Json parsed(std::string_view text) {
  auto json = go_json::parse(text);
  return json ? std::move(*json) : Json(Json::value_t::discarded);
}

std::string resource_version(const Json& json) {
  const auto metadata = json.is_object() ? json.find("metadata") : json.end();
  if (metadata == json.end() || !metadata->is_object()) return "";
  const auto version = metadata->find("resourceVersion");
  return version != metadata->end() && version->is_string() ? version->get<std::string>() : "";
}

std::string refusal_of(int status, std::string_view body) {
  const auto json = parsed(body);
  if (json.is_object()) {
    const auto message = json.find("message");
    if (message != json.end() && message->is_string()) {
      return fmt::format("{}: {}", status, message->get<std::string>());
    }
  }
  return fmt::format("HTTP status {}", status);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' ||
                          c == '_' || (c == '.' && text != "." && text != "..");
    out += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string path_of_pod(const Name& name) {
  return fmt::format("/api/v1/namespaces/{}/pods/{}", escaped(name.namespace_), escaped(name.name));
}

std::string path_of_node(const std::string& name) { return "/api/v1/nodes/" + escaped(name); }

std::string path_of_claim(const Name& name) {
  return fmt::format("/apis/resource.k8s.io/v1/namespaces/{}/resourceclaims/{}",
                     escaped(name.namespace_), escaped(name.name));
}

std::string path_of_events(const std::string& namespace_) {
  return fmt::format("/api/v1/namespaces/{}/events", escaped(namespace_));
}

std::string path_of_nad(const Name& name) {
  return fmt::format("/apis/k8s.cni.cncf.io/v1/namespaces/{}/network-attachment-definitions/{}",
                     escaped(name.namespace_), escaped(name.name));
}

}  // namespace railhead::kube
