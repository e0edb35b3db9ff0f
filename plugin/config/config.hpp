#pragma once
// What the agent is told to offer, in three grammars that may stand in one file: resourceList (of
// sriov-network-device-plugin), configList (of k8s-rdma-shared-dev-plugin) and pools (our own).
// docs/configuration.md describes them.
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/pci_address.hpp"
#include "base/text.hpp"
#include "ipam/node_index.hpp"

namespace railhead::config {

// VFs (or SFs) of one PF, as "ens1f0", "ens1f0#0-3,7" or, in rootDevices, "0000:3b:00.0#0-3,7".
struct VfsOfPf {
  std::string pf;                              // compared without regard to case
  std::optional<std::vector<IndexRange>> vfs;  // absent: all of them
  friend bool operator==(const VfsOfPf&, const VfsOfPf&) = default;
};

// Which devices a resource is made of.
enum class DeviceType {
  net,          // netDevice: PCI functions of class 02xx
  accelerator,  // accelerator: PCI functions of class 12xx
  auxiliary,    // auxNetDevice: sub-functions (SFs) on the auxiliary bus
};

[[nodiscard]] std::string_view to_string(DeviceType type);  // as `deviceType` has it

enum class VdpaType { virtio, vhost };

// A device passes when it is in every list that is not empty. What no device can have is in no
// list: see `impossible`.
struct Selector {
  std::vector<std::string> vendors;  // four lower case hex digits
  std::vector<std::string> devices;  // four lower case hex digits
  std::vector<std::string> drivers;  // "mlx5_core"
  std::vector<PciAddress> pci_addresses;
  std::vector<std::string> acpi_indexes;  // as the file acpi_index says
  std::vector<std::string> aux_types;     // "sf"
  std::vector<VfsOfPf> pf_names;
  std::vector<VfsOfPf> root_devices;
  std::vector<std::string> if_names;      // of the device's own netdev, exact
  std::vector<std::string> link_types;    // "ether", "infiniband"
  std::vector<std::string> ddp_profiles;  // exact
  std::vector<std::string> p_keys;        // "0x8001", of InfiniBand devices only
  bool is_rdma = false;                   // only devices with an RDMA device, which is given too
  std::optional<VdpaType> vdpa;           // only functions with a vDPA device of this type
  bool need_vhost_net = false;  // no filter: /dev/vhost-net and /dev/net/tun are given too
  std::string impossible;       // a key whose values no device can have: it takes none; "": no such
  friend bool operator==(const Selector&, const Selector&) = default;
};

using Info = std::map<std::string, std::string>;

// What becomes of a device whose port is down.
enum class Concern {
  ignore,
  warn,     // it is given, and the agent says so
  require,  // it is not given until the port is up
};

struct Health {
  Concern link = Concern::warn;  // of the PF's port, which VFs do not show
  Concern rdma = Concern::warn;  // of the RDMA port
  friend bool operator==(const Health&, const Health&) = default;
};

// The PCI functions of network devices.
enum class FunctionKind {
  vf,   // has a PF on this node
  nic,  // can have no VFs
  pf,   // can have VFs, whether or not there are some
};

// What becomes of a device that one container would have to itself although its netdev has an
// address of the node's.
enum class Addressed {
  refuse,  // it is not offered
  warn,    // it is, and the agent says so
  allow,
};

// How close to what devices are chosen.
enum class Near {
  gpu,   // to GPUs, else to each other
  numa,  // to each other: by NUMA node and PCIe switch
  none,  // the order alone tells
};

// Which devices to choose where nothing else tells, or before that where it is written.
enum class Order {
  packed,  // of as few PFs as can be
  spread,  // over as many PFs as can be
  rail,    // the lowest group of PFs that are free, of each the same VF index
};

// One device for several containers at a time.
struct Sharing {
  enum class Unit {
    pool,    // a share is all RDMA devices of the pool (configList)
    device,  // a share is one RDMA device
  };
  Unit unit = Unit::device;
  uint32_t shares = 0;             // of the pool, or of each device
  bool host_network_only = false;  // offered also where RDMA devices belong to network namespaces
  friend bool operator==(const Sharing&, const Sharing&) = default;
};

struct Resource {
  std::string prefix;  // "rdma"
  std::string name;    // "vf"
  DeviceType type = DeviceType::net;
  bool exclude_topology = false;
  std::vector<Selector> selectors;  // at least one; the first that takes a device counts
  std::map<std::string, Info> additional_info;  // by device id, "*" for all
  std::optional<Sharing> sharing;               // absent: a device goes to one container at a time
  std::set<FunctionKind> functions = {FunctionKind::vf, FunctionKind::nic, FunctionKind::pf};
  Addressed addressed = Addressed::warn;
  bool issm = true;  // an RDMA device's issmN is given too
  Health health;
  Near near = Near::gpu;
  std::optional<Order> order;  // absent: packed, where nothing else tells
  bool nccl_env = false;       // NCCL_IB_HCA and the like are given too
  bool rails_auto = false;     // stands for one resource per PF, its rail's number behind `name`
  [[nodiscard]] std::string full_name() const { return prefix + '/' + name; }
  friend bool operator==(const Resource&, const Resource&) = default;
};

struct Config {
  std::vector<Resource> resources;
  std::optional<std::chrono::seconds> rescan;  // how often the node is looked at without an event
  // railMap: by rail its ports, in the order of their planes, each port once; empty: the agent
  // numbers them.
  std::vector<std::vector<PciAddress>> rail_map;
  std::optional<ipam::NodeRule> ipam_node;  // how this node's index is known, for IPAM
  friend bool operator==(const Config&, const Config&) = default;
};

// A resource of resourceList or configList that is wrong, and costs no other one.
struct Dropped {
  std::string place;          // "resourceList[0]", with the file where there are several
  std::string resource;       // its full name, as far as it is known
  std::vector<Error> errors;  // each with its path: "resourceList[0].selectors: …"
  friend bool operator==(const Dropped&, const Dropped&) = default;
};

// All that is wrong, told at once: a wrong word costs as little as can be.
struct Parsed {
  Config config;                      // what is right: nothing to go by when there are errors
  std::vector<Error> errors;          // the whole is refused: no JSON or YAML, or pools are wrong
  std::vector<Dropped> dropped;       // these resources are not in `config`, the others are
  std::vector<std::string> warnings;  // in force all the same
};

constexpr size_t kMaxSize = 1 << 20;             // bytes of one file
constexpr size_t kMaxSizeOfAll = 4 << 20;        // of the files of a folder together
constexpr size_t kMaxRails = 1024;               // of railMap
constexpr uint32_t kMaxShares = 100'000;         // of a pool: kubelet takes messages of 4 MiB
constexpr uint32_t kMaxSharesPerDevice = 1'000;  // of each device of a pool

struct Source {
  std::string file;  // for messages; "": there is no need to tell it
  std::string text;
};

// JSON when a text begins with '{', else YAML. Resources of all sources are taken together, in
// their order. An empty list, or null for one, is a configuration of no resources. `default_prefix`
// is for those that name none (configList: "rdma").
[[nodiscard]] Parsed parse(const std::vector<Source>& sources, std::string_view default_prefix);
[[nodiscard]] Parsed parse(std::string_view text, std::string_view default_prefix);

// The number of a rail behind the name of a resource with rails_auto: "rail" -> "rail3".
// Whether a resource of that full name would be one of the rails of `rails`.
[[nodiscard]] bool is_rail_of(const Resource& rails, std::string_view full_name);
[[nodiscard]] std::string rail_name(std::string_view name, size_t rail);

}  // namespace railhead::config
