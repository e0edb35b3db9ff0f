#pragma once
// What kubelet's device manager keeps on disk of the devices that it gave.
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace railhead::kubelet {

// The devices of one container; of its pod the file says no more than a UID.
struct SavedContainer {
  std::string name;
  std::map<std::string, std::set<std::string>> devices;  // ids, by resource
  friend bool operator==(const SavedContainer&, const SavedContainer&) = default;
};

// Reads "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint", which kubelet writes anew
// when a container has got the devices of all its resources, and when a plugin lists its devices;
// what pods had that are gone stays there until then. Errors: io, decode (no such file's text).
[[nodiscard]] Result<std::vector<SavedContainer>> read_checkpoint(const std::string& path);
[[nodiscard]] Result<std::vector<SavedContainer>> parse_checkpoint(std::string_view text);

}  // namespace railhead::kubelet
