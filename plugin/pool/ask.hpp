#pragma once
// From a pool's devices to what plugin/grant is asked for.
#include <string>
#include <vector>

#include "plugin/grant/grant.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::pool {

[[nodiscard]] grant::ResourceName name_of(const config::Resource& resource);

// Whether an Allocate leaves records of the resource's devices: of those that a CNI plugin can
// attach to one pod, which are neither shared nor sub-functions.
[[nodiscard]] bool leaves_records(const config::Resource& resource);

// All of the pool's devices.
[[nodiscard]] std::vector<grant::Wanted> wanted_of(const Pool& pool);

// For a container that was given these offers. Of a pool that is shared as a whole, sick devices
// are left out. Errors are for the user of the pod: not_found (an id that is not of this pool; one
// of a device that is on this node no more, which says what to do), unavailable (all devices are
// sick).
[[nodiscard]] Result<grant::Ask> ask_for(const Pool& pool, const std::vector<std::string>& ids,
                                         const grant::Places& places);

// What the pool's leftovers have: what a pod has and the resource no longer offers. As the kernel
// shows them, for what the pod asked for is not known any more.
[[nodiscard]] std::vector<grant::Wanted> wanted_of_leftovers(const Pool& pool,
                                                             const device::Inventory& inventory);

// The same for a container that has these offers already, among them leftovers.
[[nodiscard]] Result<grant::Ask> ask_again_for(const Pool& pool, const device::Inventory& inventory,
                                               const std::vector<std::string>& ids,
                                               const grant::Places& places);

}  // namespace railhead::pool
