#include "plugin/kubelet/checkpoint.hpp"

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"
#include "host/files.hpp"

namespace railhead::kubelet {

Result<std::vector<SavedContainer>> read_checkpoint(const std::string& path) {
  const auto text = host::read_file(path);
  if (!text) return pass(text);
  auto containers = parse_checkpoint(*text);
  if (!containers) return pass(containers, path);
  return containers;
}

// {"Data": {"PodDeviceEntries": [{"PodUID", "ContainerName", "ResourceName", "DeviceIDs", …}, …]}}
Result<std::vector<SavedContainer>> parse_checkpoint(std::string_view text) {
  const auto json = go_json::parse(text);
  if (!json) return pass(json);
  std::map<std::pair<std::string, std::string>, SavedContainer> containers;  // by pod and name
  try {
    for (const auto& entry : json->at("Data").at("PodDeviceEntries")) {
      const auto name = entry.at("ContainerName").get<std::string>();
      auto& container = containers[{entry.at("PodUID").get<std::string>(), name}];
      container.name = name;
      auto& ids = container.devices[entry.at("ResourceName").get<std::string>()];
      // Lists by NUMA node; a device of two nodes stands in both.
      const auto by_node = entry.at("DeviceIDs").flatten();
      for (const auto& id : by_node) {
        if (id.is_string()) ids.insert(id.get<std::string>());
      }
    }
  } catch (const nlohmann::ordered_json::exception& error) {
    return fail(ErrorCode::decode, "not a checkpoint of kubelet's devices: {}", error.what());
  }
  std::vector<SavedContainer> all;
  for (auto& [key, container] : containers) all.push_back(std::move(container));
  return all;
}

}  // namespace railhead::kubelet
