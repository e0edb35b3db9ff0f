#pragma once
// What the agent is told to offer: the resourceList grammar, from JSON or YAML.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/pci_address.hpp"
#include "base/text.hpp"

namespace railhead::config {

// VFs of one PF, as "ens1f0", "ens1f0#0-3,7" or, in rootDevices, "0000:3b:00.0#0-3,7".
struct VfsOfPf {
  std::string pf;                              // compared without regard to case
  std::optional<std::vector<IndexRange>> vfs;  // absent: all of them
  friend bool operator==(const VfsOfPf&, const VfsOfPf&) = default;
};

// A function passes when it is in every list that is not empty.
struct Selector {
  std::vector<std::string> vendors;  // four lower case hex digits
  std::vector<std::string> devices;  // four lower case hex digits
  std::vector<std::string> drivers;  // "mlx5_core"
  std::vector<PciAddress> pci_addresses;
  std::vector<VfsOfPf> pf_names;
  std::vector<VfsOfPf> root_devices;
  std::vector<std::string> link_types;  // "ether", "infiniband"
  bool is_rdma = false;                 // only functions with an RDMA device, which is given too
  friend bool operator==(const Selector&, const Selector&) = default;
};

using Info = std::map<std::string, std::string>;

struct Resource {
  std::string prefix;  // "rdma"
  std::string name;    // "vf"
  bool exclude_topology = false;
  std::vector<Selector> selectors;  // at least one; the first that takes a device counts
  std::map<std::string, Info> additional_info;  // by device id, "*" for all
  [[nodiscard]] std::string full_name() const { return prefix + '/' + name; }
  friend bool operator==(const Resource&, const Resource&) = default;
};

struct Config {
  std::vector<Resource> resources;
  friend bool operator==(const Config&, const Config&) = default;
};

// `config` is whole only when there are no errors.
struct Parsed {
  Config config;
  std::vector<Error> errors;  // all of them, each with its path: "resourceList[0].selectors: …"
  std::vector<std::string> warnings;
};

constexpr size_t kMaxSize = 1024 * 1024;  // bytes

// JSON when the text begins with '{', else YAML. `default_prefix` is for resources without one.
[[nodiscard]] Parsed parse(std::string_view text, std::string_view default_prefix);

}  // namespace railhead::config
