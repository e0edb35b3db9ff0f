#include "test/support/kubelet/checkpoint.hpp"

#include <nlohmann/json.hpp>

namespace railhead::test {
namespace {

// As Go writes bytes into JSON.
std::string base64_of(const std::string& bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i) {
      group = group << 8 | (at + i < bytes.size() ? static_cast<uint8_t>(bytes[at + i]) : 0U);
    }
    for (size_t i = 0; i < 4; ++i) {
      text += at + i > bytes.size() ? '=' : kDigits[group >> (18 - 6 * i) & 63U];
    }
  }
  return text;
}

}  // namespace

std::string checkpoint_of(const FakeKubeletState& state) {
  auto entries = nlohmann::json::array();
  for (const auto& allocation : state.allocations) {
    std::map<std::string, std::vector<std::string>> by_numa_node;
    for (const auto& device : allocation.devices) {
      for (const auto node : device.numa_nodes) {
        by_numa_node[std::to_string(node)].push_back(device.id);
      }
      if (device.numa_nodes.empty()) by_numa_node["-1"].push_back(device.id);
    }
    entries.push_back({{"PodUID", allocation.pod_namespace + '.' + allocation.pod},
                       {"ContainerName", allocation.container},
                       {"ResourceName", allocation.resource},
                       {"DeviceIDs", by_numa_node},
                       {"AllocResp", base64_of(allocation.response.SerializeAsString())}});
  }
  auto registered = nlohmann::json::object();
  for (const auto& [name, resource] : state.resources) {
    registered[name] = nlohmann::json::array();
    for (const auto& [id, device] : resource.devices) {
      if (device.healthy) registered[name].push_back(id);
    }
  }
  const nlohmann::json checkpoint = {
      {"Data", {{"PodDeviceEntries", entries}, {"RegisteredDevices", registered}}},
      {"Checksum", 0}};
  return checkpoint.dump();
}

}  // namespace railhead::test
