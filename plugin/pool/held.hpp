#pragma once
// What pods hold is offered to nobody else, whatever the configuration, drivers or names have
// become.
#include <map>
#include <set>
#include <string>

#include "plugin/ledger/holdings.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::pool {

struct HeldBy {
  const ledger::Holdings& holdings;
  // What devices were last given as, each to one container, by their ids; who holds them then may
  // not be known any more.
  std::map<std::string, std::string> last_given_as;
  std::set<std::string> own_resources;  // those that this program serves, or has served
  std::set<PciAddress> on_bus;
};

// A device that another resource's pod has, or whose nodes another device's pod still has, becomes
// sick. What a pod has and its resource no longer offers is offered on, healthy, so that kubelet
// starts the pod's containers again; nobody can be given it. A resource that is not configured any
// more is offered with these alone. True: something waits for a holder to end.
[[nodiscard]] bool keep_to_holders(const HeldBy& held, const device::Inventory& inventory,
                                   Selection& selection);

}  // namespace railhead::pool
