#pragma once
// The file of --topology-file (docs/topology.md): an XML topology as NCCL reads and dumps it, or
// an own form in YAML.
#include <string>
#include <string_view>
#include <vector>

#include "device/topology.hpp"

namespace railhead::topology {

struct File {
  device::Topology topology;
  std::vector<std::string> warnings;
  friend bool operator==(const File&, const File&) = default;
};

constexpr size_t kMaxSize = 1024 * 1024;  // bytes
constexpr size_t kMaxDepth = 16;          // switches below each other

// XML when the text begins with '<', else YAML. Errors: decode, with the place.
[[nodiscard]] Result<File> parse(std::string_view text);

// As such files write addresses: "0000:3B:00.0", "3b:00.0" (domain 0), "0000:3b:00" (function 0).
[[nodiscard]] std::optional<PciAddress> parse_bus_id(std::string_view text);

}  // namespace railhead::topology
