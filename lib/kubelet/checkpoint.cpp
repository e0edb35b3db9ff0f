#include "kubelet/checkpoint.hpp"

#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/go_json.hpp"
#include "host/files.hpp"

namespace railhead::kubelet {
namespace {

using Json = nlohmann::ordered_json;

// A kubelet with 60 000 devices was seen to write 0.9 MB; what containers were given comes to that.
constexpr size_t kMaxBytes = 64 << 20;

// Base64 in the file, as Go writes bytes into JSON.
std::optional<std::string> answer_of(const Json& entry) {
  const auto text = entry.find("AllocResp");
  if (text == entry.end() || !text->is_string()) return std::nullopt;
  return decode_base64(text->get_ref<const std::string&>());
}

}  // namespace

Result<std::vector<SavedDevices>> read_checkpoint(const std::string& path) {
  const auto text = host::read_regular_file(path, kMaxBytes);
  if (!text) return pass(text);
  auto saved = parse_checkpoint(*text);
  if (!saved) return pass(saved, path);
  return saved;
}

Result<RegisteredDevices> read_registered(const std::string& path) {
  const auto text = host::read_regular_file(path, kMaxBytes);
  if (!text) return pass(text);
  auto registered = parse_registered(*text);
  if (!registered) return pass(registered, path);
  return registered;
}

// {"Data": {"RegisteredDevices": {"rdma/vf": ["0000:3b:00.2", …], …}}}
Result<RegisteredDevices> parse_registered(std::string_view text) {
  const auto json = go_json::parse(text);
  if (!json) return pass(json);
  RegisteredDevices all;
  try {
    const auto& lists = json->at("Data").at("RegisteredDevices");
    if (lists.is_null()) return all;  // as Go writes an empty map
    for (const auto& [resource, ids] : lists.items()) {
      if (!ids.is_null()) all[resource] = ids.get<std::set<std::string>>();
    }
  } catch (const Json::exception& error) {
    return fail(ErrorCode::decode, "not a checkpoint of kubelet's devices: {}", error.what());
  }
  return all;
}

// {"Data": {"PodDeviceEntries": [{"PodUID", "ContainerName", "ResourceName", "DeviceIDs", …}, …]}}
Result<std::vector<SavedDevices>> parse_checkpoint(std::string_view text) {
  const auto json = go_json::parse(text);
  if (!json) return pass(json);
  std::vector<SavedDevices> all;
  try {
    for (const auto& entry : json->at("Data").at("PodDeviceEntries")) {
      SavedDevices saved;
      saved.pod_uid = entry.at("PodUID").get<std::string>();
      saved.container = entry.at("ContainerName").get<std::string>();
      saved.resource = entry.at("ResourceName").get<std::string>();
      // Lists by NUMA node; a device of two nodes stands in both.
      const auto by_node = entry.at("DeviceIDs").flatten();
      for (const auto& id : by_node) {
        if (id.is_string()) saved.ids.insert(id.get<std::string>());
      }
      saved.answer = answer_of(entry);
      all.push_back(std::move(saved));
    }
  } catch (const Json::exception& error) {
    return fail(ErrorCode::decode, "not a checkpoint of kubelet's devices: {}", error.what());
  }
  return all;
}

std::vector<ContainerDevices> devices_of(const std::vector<SavedDevices>& checkpoint,
                                         std::string_view pod_uid) {
  std::map<std::pair<std::string, std::string>, std::set<std::string>> ids;
  for (const auto& saved : checkpoint) {
    if (saved.pod_uid != pod_uid) continue;
    ids[{saved.container, saved.resource}].insert(saved.ids.begin(), saved.ids.end());
  }
  std::vector<ContainerDevices> all;
  for (const auto& [of, devices] : ids) {
    all.push_back({of.first, of.second, {devices.begin(), devices.end()}});
    sort_device_ids(all.back().devices);
  }
  return all;
}

}  // namespace railhead::kubelet
