#pragma once
// What kubelet's device manager keeps on disk of the devices that it gave.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

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

// What one container has of one resource. Of its pod the file says no more than a UID.
struct SavedDevices {
  std::string pod_uid;
  std::string container;
  std::string resource;
  std::set<std::string> ids;
  std::optional<SavedAnswer> given;  // absent: the file does not tell
  friend bool operator==(const SavedDevices&, const SavedDevices&) = default;
};

// Reads "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint", which kubelet writes anew
// when a container has got the devices of all its resources, and when a plugin lists its devices;
// what pods had that are gone stays there until then. Errors: io, invalid_argument (no regular
// file, or too large a one), decode (no such file's text).
[[nodiscard]] Result<std::vector<SavedDevices>> read_checkpoint(const std::string& path);
[[nodiscard]] Result<std::vector<SavedDevices>> parse_checkpoint(std::string_view text);

}  // namespace railhead::kubelet
