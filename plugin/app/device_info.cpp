#include "plugin/app/device_info.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "host/files.hpp"

namespace railhead::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kLargestDeviceInfo = 64UL * 1024;

// By the file's end: "rdma-vf-0000:3b:00.2-device.json" of rdma/vf.
std::optional<Json> read_device_info(const std::string& folder,
                                     const std::vector<std::string>& names,
                                     const std::string& device) {
  const auto end = fmt::format("-{}-device.json", device);
  const auto name = std::ranges::find_if(
      names, [&](const auto& one) { return one.ends_with(end) && !one.starts_with('.'); });
  if (name == names.end()) return std::nullopt;
  const auto text = host::read_regular_file(folder + '/' + *name, kLargestDeviceInfo);
  auto json = text ? go_json::parse(*text) : pass(text);
  if (!json || !json->is_object() || !json->contains("type")) return std::nullopt;
  return std::move(*json);
}

}  // namespace

std::string with_device_info(const ipc::PodNews& pod, const std::string& folder) {
  if (pod.attached.empty()) return pod.network_status;
  const auto directory = host::Directory::open(folder);
  const auto names = directory ? directory->list(".") : pass(directory);
  auto json = go_json::parse(pod.network_status);
  if (!names || !json || !json->is_array()) return pod.network_status;
  for (const auto& one : pod.attached) {
    const auto info = read_device_info(folder, *names, one.device);
    if (!info) continue;
    for (auto& entry : *json) {
      if (!entry.is_object() || !entry.contains("device-info")) continue;
      if (entry.value("interface", Json()) == one.ifname) entry["device-info"] = *info;
    }
  }
  return json->dump(4, ' ', false, Json::error_handler_t::replace);
}

}  // namespace railhead::app
