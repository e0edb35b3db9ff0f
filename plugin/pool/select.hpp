#pragma once
// Which devices belong to which resource.
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "device/inventory.hpp"
#include "device/pcie.hpp"
#include "device/rail_map.hpp"
#include "plugin/config/config.hpp"
#include "plugin/grant/wanted.hpp"

namespace railhead::pool {

// What kind of trouble makes a device unhealthy, as metrics tell it.
enum class Cause {
  undo,        // what an earlier pod left on it is not undone, or its record cannot be read
  pci,         // it, or its PF, has an error on the PCI bus
  iommu,       // its IOMMU group is not viable
  port,        // its port, where that is required
  held,        // a pod has it as another resource
  open,        // another pod still has its node open
  unknown,     // whether a pod still has it is not known yet
  silent,      // its PF does not answer
  recovering,  // it is well again, for less than the time after which that counts
  mode,        // what makes the whole pool unhealthy: the node's RDMA mode
};
[[nodiscard]] std::string_view to_string(Cause cause);

struct Reason {
  Cause cause = Cause::port;
  std::string text;  // "": none
  friend bool operator==(const Reason&, const Reason&) = default;
};

// A device, what Allocate gives with it, and its place in the pool.
struct Member : grant::Wanted {
  std::optional<int> numa_node;               // absent: no topology hint
  std::vector<device::PcieDistance> to_gpus;  // to each of Pool::gpus

  std::string sickness;               // why it must not be given out; "": it is healthy
  Cause cause = Cause::port;          // of the sickness, where there is one
  std::string withheld;               // why it is not even when kubelet asks for it all the same
  std::vector<std::string> concerns;  // what is wrong with it, which does not make it unhealthy
  friend bool operator==(const Member&, const Member&) = default;
};

// What kubelet is told to be there.
struct Offer {
  std::string id;  // of a device to share: "<device>::<share>"; of a pool to share: "<share>"
  bool healthy = true;
  std::optional<int> numa_node;
  std::optional<PciAddress> address;  // absent: a share of all the pool's devices
  friend bool operator==(const Offer&, const Offer&) = default;
};

struct Pool {
  config::Resource resource;
  std::vector<Member> members;   // in PCI order
  std::vector<Offer> leftovers;  // what pods have of it and none of the members is: see held.hpp
  std::vector<PciAddress> gpus;  // of the node, in PCI order; only where env: nccl needs them
  bool nccl_names_carry_resource = false;  // several pools have env: nccl
  std::string sickness;                    // why nothing of it can be given out at all
  friend bool operator==(const Pool&, const Pool&) = default;
};

struct LeftOut {
  std::string device;  // as Member::id
  std::string reason;
  friend bool operator==(const LeftOut&, const LeftOut&) = default;
};

// A resource, as the configuration names it, and the id of a device that it took.
using Membership = std::pair<std::string, std::string>;

// The PF of each rail, by resource with rails_auto, as the configuration names it.
using Rails = std::map<std::string, std::vector<PciAddress>>;

struct Selection {
  std::vector<Pool> pools;  // in the configuration's order; may be empty
  // Devices that no resource may have, or not the first one that selects it; and why.
  std::vector<LeftOut> left_out;
  Rails rails;
  // The node's rails: the ports of all devices that one container has to itself, or as railMap has
  // them.
  device::RailMap rail_map;
  std::set<Membership> members;
};

// What the inventory does not tell.
struct Knowledge {
  // Why a device must not be given out, of any pool; by PCI address or a sub-function's name. What
  // makes a PF sick its sub-functions are, too.
  std::map<std::string, Reason> sick;
  Rails rails;               // of the Selection before
  device::RailMap rail_map;  // the same
  // Of the Selection before, or as Allocate recorded it: what ifNames and pKeys select by is not
  // seen while the device is in a pod, and it stays its resource's.
  std::set<Membership> members;
  std::set<Membership> allocated;  // as Allocate recorded it in this boot
};

// A device belongs to the first resource that takes it, in the configuration's order; within a
// resource the first selector that takes it decides what is given with it. Resources that share
// their devices take nothing away: they have all that fit.
[[nodiscard]] Selection select(const config::Config& config, const device::Inventory& inventory,
                               const Knowledge& knowledge = {});

// The pools that each resource of the configuration became: its rails, or one. `selection` must
// outlive them.
[[nodiscard]] std::vector<std::span<const Pool>> pools_by_resource(const config::Config& config,
                                                                   const Selection& selection);

// `options` and what selectors ask for besides.
[[nodiscard]] device::ScanOptions scan_options(const config::Config& config,
                                               device::ScanOptions options);

// The members', then the leftovers.
[[nodiscard]] std::vector<Offer> offers(const Pool& pool);

// The members that an offer stands for, in PCI order; none when the pool has no such offer.
[[nodiscard]] std::vector<const Member*> members_of(const Pool& pool, std::string_view offer_id);

}  // namespace railhead::pool
