#pragma once
// What kubelet's device manager keeps on disk of the devices that it gave.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/container_devices.hpp"
#include "base/error.hpp"

namespace railhead::kubelet {

// What one container has of one resource. Of its pod the file says no more than a UID.
struct SavedDevices {
  std::string pod_uid;
  std::string container;
  std::string resource;
  std::set<std::string> ids;
  // What their plugin answered then, ours or the one before it: the bytes of a
  // ContainerAllocateResponse. Absent: the file does not tell.
  std::optional<std::string> answer;
  friend bool operator==(const SavedDevices&, const SavedDevices&) = default;
};

// Reads "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint", which kubelet writes anew
// when a container has got the devices of all its resources, and when a plugin lists its devices;
// what pods had that are gone stays there until then. Errors: io, invalid_argument (no regular
// file, or too large a one), decode (no such file's text).
[[nodiscard]] Result<std::vector<SavedDevices>> read_checkpoint(const std::string& path);
[[nodiscard]] Result<std::vector<SavedDevices>> parse_checkpoint(std::string_view text);

// What the pod of this UID has, in the form in which the agent tells it (ipc::ResolveAnswer), with
// the devices in PCI order. The file knows no order of containers: they stand by name, and the
// resources of each by name. An init container keeps its devices there, and those after it have the
// same ones. Empty: the file has nothing of such a pod, which then was given nothing, or nothing
// yet.
[[nodiscard]] std::vector<ContainerDevices> devices_of(const std::vector<SavedDevices>& checkpoint,
                                                       std::string_view pod_uid);

// The devices that plugins list on this node, healthy or not, by resource: of the same file, with
// the same errors.
using RegisteredDevices = std::map<std::string, std::set<std::string>>;
[[nodiscard]] Result<RegisteredDevices> read_registered(const std::string& path);
[[nodiscard]] Result<RegisteredDevices> parse_registered(std::string_view text);

}  // namespace railhead::kubelet
