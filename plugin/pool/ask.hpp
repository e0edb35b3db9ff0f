#pragma once
// From a pool's devices to what plugin/grant is asked for.
#include <set>
#include <string>
#include <vector>

#include "plugin/grant/grant.hpp"
#include "plugin/ledger/holdings.hpp"
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

// What pods have of the resource, by itself or a share, and it no longer offers.
[[nodiscard]] std::vector<grant::Wanted> wanted_of_held(const Pool& pool,
                                                        const device::Inventory& inventory,
                                                        const ledger::Holdings& holdings);

// The devices, by Wanted::id, that a container has by this offer of the resource, whatever the
// resource offers by now; none: nobody knows.
[[nodiscard]] std::set<std::string> devices_held_by(const Pool& pool,
                                                    const ledger::Holdings& holdings,
                                                    const std::string& id);

// The same as ask_for() for a container that has these offers already: as devices_held_by() tells
// them, the sick ones too.
[[nodiscard]] Result<grant::Ask> ask_again_for(const Pool& pool, const device::Inventory& inventory,
                                               const ledger::Holdings& holdings,
                                               const std::vector<std::string>& ids,
                                               const grant::Places& places);

}  // namespace railhead::pool
