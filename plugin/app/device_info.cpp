#include "plugin/app/device_info.hpp"

#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "host/files.hpp"
#include "plugin/grant/devinfo.hpp"

namespace railhead::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kLargestDeviceInfo = 64UL * 1024;

std::optional<Json> read_device_info(const std::string& folder, const ipc::AttachedDevice& device) {
  const auto file = grant::devinfo_file(device.resource, device.device);
  const auto text = host::read_regular_file(folder + '/' + file, kLargestDeviceInfo);
  auto json = text ? go_json::parse(*text) : pass(text);
  if (!json || !json->is_object() || !json->contains("type")) return std::nullopt;
  return std::move(*json);
}

}  // namespace

std::string with_device_info(const ipc::PodNews& pod, const std::string& folder) {
  if (pod.attached.empty()) return pod.network_status;
  auto json = go_json::parse(pod.network_status);
  if (!json || !json->is_array()) return pod.network_status;
  bool is_changed = false;
  for (const auto& one : pod.attached) {
    if (one.resource.empty()) continue;
    const auto info = read_device_info(folder, one);
    if (!info) continue;
    for (auto& entry : *json) {
      if (!entry.is_object() || !entry.contains("device-info")) continue;
      if (entry.value("interface", Json()) != one.ifname) continue;
      entry["device-info"] = *info;
      is_changed = true;
    }
  }
  if (!is_changed) return pod.network_status;
  return json->dump(4, ' ', false, Json::error_handler_t::replace);
}

}  // namespace railhead::app
