#include "plugin/kubelet/saved_answer.hpp"

#include "base/text.hpp"
#include "plugin/kubelet/messages.hpp"

namespace railhead::kubelet {
namespace {

constexpr std::string_view kVariables = "PCIDEVICE_";
constexpr std::string_view kCdiAnnotations = "cdi.k8s.io/";

}  // namespace

std::optional<SavedAnswer> parse_answer(const std::optional<std::string>& bytes) {
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

}  // namespace railhead::kubelet
