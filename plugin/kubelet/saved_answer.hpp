#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace railhead::kubelet {

// What a container was given with its devices, as their plugin answered then: ours, or the one
// before it.
struct SavedAnswer {
  std::vector<std::string> host_paths;      // of the device nodes
  std::map<std::string, std::string> envs;  // those that begin with PCIDEVICE_
  // "vendor/class=name", of the field or of annotations ("cdi.k8s.io/…").
  std::vector<std::string> cdi_devices;
  friend bool operator==(const SavedAnswer&, const SavedAnswer&) = default;
};

// Of the bytes that kubelet's checkpoint keeps (SavedDevices::answer). Nothing when they are
// absent, or no ContainerAllocateResponse.
[[nodiscard]] std::optional<SavedAnswer> parse_answer(const std::optional<std::string>& bytes);

}  // namespace railhead::kubelet
