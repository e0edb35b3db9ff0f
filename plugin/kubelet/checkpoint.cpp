#include "plugin/kubelet/checkpoint.hpp"

#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/go_json.hpp"
#include "base/text.hpp"
#include "host/files.hpp"
#include "plugin/kubelet/messages.hpp"

namespace railhead::kubelet {
namespace {

using Json = nlohmann::ordered_json;

// A kubelet with 60 000 devices was seen to write 0.9 MB; what containers were given comes to that.
constexpr size_t kMaxBytes = 64 << 20;
constexpr std::string_view kVariables = "PCIDEVICE_";
constexpr std::string_view kCdiAnnotations = "cdi.k8s.io/";

// Base64 of a serialized ContainerAllocateResponse.
std::optional<SavedAnswer> answer_of(const Json& entry) {
  const auto text = entry.find("AllocResp");
  if (text == entry.end() || !text->is_string()) return std::nullopt;
  const auto bytes = decode_base64(text->get_ref<const std::string&>());
  v1beta1::ContainerAllocateResponse message;
  if (!bytes || !message.ParseFromString(*bytes)) return std::nullopt;
  SavedAnswer answer;
  for (const auto& node : message.devices()) answer.host_paths.push_back(node.host_path());
  for (const auto& [name, value] : message.envs()) {
    if (name.starts_with(kVariables)) answer.envs[name] = value;
  }
  for (const auto& device : message.cdi_devices()) answer.cdi_devices.push_back(device.name());
  for (const auto& [key, names] : message.annotations()) {
    if (!key.starts_with(kCdiAnnotations) || !answer.cdi_devices.empty()) continue;
    for (const auto name : split(names, ',')) answer.cdi_devices.emplace_back(name);
  }
  return answer;
}

}  // namespace

Result<std::vector<SavedDevices>> read_checkpoint(const std::string& path) {
  const auto text = host::read_regular_file(path, kMaxBytes);
  if (!text) return pass(text);
  auto saved = parse_checkpoint(*text);
  if (!saved) return pass(saved, path);
  return saved;
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
      saved.given = answer_of(entry);
      all.push_back(std::move(saved));
    }
  } catch (const Json::exception& error) {
    return fail(ErrorCode::decode, "not a checkpoint of kubelet's devices: {}", error.what());
  }
  return all;
}

}  // namespace railhead::kubelet
