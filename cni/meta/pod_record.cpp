#include "cni/meta/pod_record.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "base/raw_json.hpp"
#include "base/text.hpp"

namespace railhead::cni {

using go_json::Object;
using Json = nlohmann::ordered_json;

namespace {

constexpr int64_t kSchema = 1;  // raised when a key's meaning changes; the next one is read, too

// It finds a text that is cut or torn, as a power cut leaves it.
std::string checksum(std::string_view text) { return fmt::format("{:016x}", hash_of(text)); }

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string sealed(const Json& json) {
  const auto body = dump(json);
  return fmt::format("{{\"schema\":{},\"checksum\":\"{}\",\"body\":{}}}\n", kSchema, checksum(body),
                     body);
}

Json to_value(const PodNetwork& network) {
  Json json{{"nad", network.nad},
            {"name", network.name},
            {"cniVersion", network.cni_version},
            {"ifname", network.ifname},
            {"args", network.args},
            {"place", network.place},
            {"disableCheck", network.disable_check},
            {"disableGC", network.disable_gc}};
  if (network.gateways) json["gateways"] = *network.gateways;
  if (!network.device.empty()) json["device"] = network.device;
  if (!network.resource.empty()) json["resource"] = network.resource;
  json["plugins"] = Json::array();
  for (const auto& plugin : network.plugins) {
    json["plugins"].push_back(
        {{"type", plugin.type}, {"own", plugin.is_own}, {"input", plugin.input}});
  }
  return json;
}

// An object's keys, each of which must be there but where it is said else.
class Reader {
 public:
  Reader(const Json& json, std::string path, std::vector<Error>& errors)
      : errors_(errors), object_(json, std::move(path), errors) {}

  std::string text(std::string_view key) { return required(key, object_.string(key), ""); }
  bool flag(std::string_view key) { return required(key, object_.boolean(key), false); }
  int64_t number(std::string_view key) { return required(key, object_.integer(key), int64_t{0}); }
  std::vector<std::string> texts(std::string_view key) {
    return required(key, object_.strings(key), std::vector<std::string>{});
  }
  Object& object() { return object_; }

  // What `read` makes of each object of a list.
  template <class Read>
  auto list(std::string_view key, Read read) {
    std::vector<decltype(read(std::declval<Reader&>()))> all;
    const auto* value = object_.value(key);
    if (!value || !value->is_array()) {
      object_.error(key, "expected a list");
      return all;
    }
    for (size_t i = 0; i < value->size(); ++i) {
      const auto path = fmt::format("{}[{}]", object_.path_of(key), i);
      if (!(*value)[i].is_object()) {
        errors_.push_back({ErrorCode::decode, 0, path + ": expected an object"});
        return all;
      }
      Reader one((*value)[i], path, errors_);
      all.push_back(read(one));
    }
    return all;
  }

 private:
  template <class T>
  T required(std::string_view key, std::optional<T> value, T without) {
    if (!value && !object_.value(key)) object_.error(key, "missing");
    return value ? std::move(*value) : std::move(without);
  }
  std::string required(std::string_view key, std::optional<std::string> value,
                       const char* without) {
    return required(key, std::move(value), std::string(without));
  }

  std::vector<Error>& errors_;
  Object object_;
};

PodPlugin read_plugin(Reader& json) {
  return {json.text("type"), json.flag("own"), json.text("input")};
}

PodNetwork read_network(Reader& json) {
  PodNetwork network;
  network.nad = json.text("nad");
  network.name = json.text("name");
  network.cni_version = json.text("cniVersion");
  network.ifname = json.text("ifname");
  network.args = json.text("args");
  network.place = json.text("place");
  network.disable_check = json.flag("disableCheck");
  network.disable_gc = json.flag("disableGC");
  network.gateways = json.object().strings("gateways");
  network.device = json.object().string("device").value_or("");
  network.resource = json.object().string("resource").value_or("");
  network.plugins = json.list("plugins", read_plugin);
  return network;
}

Act read_act(Reader& json) {
  return {static_cast<size_t>(json.number("network")), static_cast<size_t>(json.number("plugin"))};
}

// What `read` makes of the body of a text that sealed() wrote.
template <class Read>
auto unseal(std::string_view text, Read read) -> Result<decltype(read(std::declval<Reader&>()))> {
  const auto whole = RawObject::parse(text);
  if (!whole) return pass(whole);
  const auto schema = parse_int<int64_t>(whole->get("schema").value_or(""));
  if (!schema || *schema < 1 || *schema > kSchema + 1) {
    return fail(ErrorCode::decode, "schema: expected 1 to {}, got {}", kSchema + 1,
                whole->get("schema").value_or("none"));
  }
  const auto body = whole->get("body").value_or("");
  if (whole->get("checksum") != json_string(checksum(body))) {
    return fail(ErrorCode::decode, "the checksum does not fit: the file was cut, or changed");
  }
  const auto json = go_json::parse(body);
  if (!json) return pass(json);
  if (!json->is_object()) return fail(ErrorCode::decode, "body: expected an object");
  std::vector<Error> errors;
  Reader reader(*json, "body", errors);
  auto value = read(reader);
  if (!errors.empty()) return fail(ErrorCode::decode, "{}", errors.front().message);
  return value;
}

}  // namespace

std::string PodRecord::pod() const {
  return pod_name.empty() ? "" : fmt::format("{}/{}", pod_namespace, pod_name);
}

bool is_in_transaction(const PodRecord& record, const Act& act) {
  return act.network > 0 && act.plugin == 0 && record.networks[act.network].plugins[0].is_own;
}

std::vector<Act> acts_of(const PodRecord& record) {
  std::vector<Act> cluster;
  std::vector<Act> own;
  std::vector<Act> others;
  for (size_t i = 0; i < record.networks.size(); ++i) {
    for (size_t k = 0; k < record.networks[i].plugins.size(); ++k) {
      const Act act{i, k};
      (i == 0 ? cluster : is_in_transaction(record, act) ? own : others).push_back(act);
    }
  }
  cluster.insert(cluster.end(), own.begin(), own.end());
  cluster.insert(cluster.end(), others.begin(), others.end());
  return cluster;
}

std::string to_json(const PodRecord& record) {
  Json json{{"container", record.container_id},   {"podNamespace", record.pod_namespace},
            {"podName", record.pod_name},         {"podUid", record.pod_uid},
            {"bootId", record.boot_id},           {"netns", record.netns_path},
            {"netnsDevice", record.netns.device}, {"netnsInode", record.netns.inode},
            {"pluginPath", record.plugin_path},   {"network", record.network},
            {"networks", Json::array()}};
  for (const auto& network : record.networks) json["networks"].push_back(to_value(network));
  return sealed(json);
}

std::string to_json(const PodProgress& progress) {
  Json json{{"attached", progress.is_attached},
            {"results", progress.results},
            {"networkStatus", progress.network_status},
            {"deleted", Json::array()},
            {"reason", progress.reason}};
  if (progress.first_failed) json["firstFailedMs"] = progress.first_failed->count();
  for (const auto& act : progress.deleted) {
    json["deleted"].push_back({{"network", act.network}, {"plugin", act.plugin}});
  }
  return sealed(json);
}

Result<PodRecord> pod_record_from_json(std::string_view text) {
  auto record = unseal(text, [](Reader& json) {
    PodRecord read;
    read.container_id = json.text("container");
    read.pod_namespace = json.text("podNamespace");
    read.pod_name = json.text("podName");
    read.pod_uid = json.text("podUid");
    read.boot_id = json.text("bootId");
    read.netns_path = json.text("netns");
    read.netns.device = static_cast<decltype(read.netns.device)>(json.number("netnsDevice"));
    read.netns.inode = static_cast<decltype(read.netns.inode)>(json.number("netnsInode"));
    read.plugin_path = json.text("pluginPath");
    read.network = json.text("network");
    read.networks = json.list("networks", read_network);
    return read;
  });
  if (!record) return record;
  const bool has_empty = std::ranges::any_of(
      record->networks, [](const PodNetwork& network) { return network.plugins.empty(); });
  if (record->networks.empty() || has_empty) {
    return fail(ErrorCode::decode, "body.networks: expected at least one, each with a plugin");
  }
  return record;
}

Result<PodProgress> pod_progress_from_json(std::string_view text) {
  return unseal(text, [](Reader& json) {
    PodProgress read;
    read.is_attached = json.flag("attached");
    read.results = json.texts("results");
    read.network_status = json.text("networkStatus");
    read.deleted = json.list("deleted", read_act);
    read.reason = json.text("reason");
    if (const auto first = json.object().integer("firstFailedMs")) {
      read.first_failed = std::chrono::milliseconds(*first);
    }
    return read;
  });
}

}  // namespace railhead::cni
