#pragma once
// Networks over rails: one entry of the annotation becomes an interface for each of the pod's
// devices that its rails have.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cni/meta/pod_devices.hpp"
#include "cni/meta/wanted_network.hpp"
#include "device/rail_map.hpp"
#include "ipc/resolve.hpp"

namespace railhead::cni {

// The keys `rails`, `resources` and `affinity` of the network's plugin of type railhead; nothing
// where it has no `rails`. Errors (invalid_argument) name the key, the value and what was expected.
Result<std::optional<AskedRails>> read_rails(const cnispec::NetworkList& list);

// A device's rail and plane. unavailable: they are not known yet.
using RailOf = std::function<Result<device::RailPlace>(const std::string& device)>;

// Which of the pod's devices are far from its GPUs, as far as that is known.
using FarPairs = std::function<std::vector<ipc::FarPair>()>;

// One network for each device, named after the entry's interface ("rail" without one): "rail3", and
// of further devices of that rail "rail3-1", "rail3-2" in the order of the pod's containers, of a
// container in the order of their planes, of a plane in PCI order; by rail. Warned of: PCI
// addresses that do not rise in the order of rails and planes, and devices that are far from their
// containers' GPUs (or refused, as its `affinity` has it). Devices of other rails than those
// that are listed stay in `queue`. Errors: invalid_argument (a rail without a device, another
// number of rails, a name that is too long), unavailable.
Result<std::vector<WantedNetwork>> spread_over_rails(const WantedNetwork& one, DeviceQueue& queue,
                                                     const RailOf& rail_of,
                                                     const FarPairs& far_pairs,
                                                     Objections& objections);

// Warns of devices of the network's resources that no network took: of rails that it does not list.
void warn_of_left(const WantedNetwork& one, const DeviceQueue& queue, const RailOf& rail_of,
                  Objections& objections);

// Whether the network asks for what goes by its rail (multiNic, ipam of type rails) and does not
// say which one that is.
[[nodiscard]] bool lacks_rail(const WantedNetwork& one);

}  // namespace railhead::cni
