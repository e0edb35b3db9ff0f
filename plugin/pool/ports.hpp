#pragma once
// A pool's offers by the physical port they send by. Two devices of one port share its bandwidth
// and its cable, so a choice takes one of each port before a second of any.
#include <optional>
#include <string>
#include <vector>

#include "device/inventory.hpp"
#include "plugin/pool/select.hpp"

namespace railhead::pool {

struct Port {
  const device::PciFunction* function = nullptr;  // the PF, or the device itself
  std::vector<size_t> free;  // offers that may still be chosen, the first one first
  size_t chosen = 0;         // how many of it the choice holds
  size_t load = 0;           // how many of its offers were not available
};

class Ports {
 public:
  // `available` by offer. Offers without an address or of a device that is gone have no port.
  Ports(const std::vector<Offer>& offers, const std::vector<bool>& available,
        const device::Inventory& inventory);

  // By rail number (device/rails.hpp, for all GPUs of the node): the same for a pool whatever is
  // available of it.
  std::vector<Port> list;
  // The place in `list` of each offer's port.
  std::vector<std::optional<size_t>> of_offer;
  // Of each offer that is a VF, where the node shows its PF.
  std::vector<std::optional<uint32_t>> vf_of_offer;

  // Takes this offer, which is free, or has no port.
  void choose(size_t offer);
  // Takes the port's first free offer and says which.
  size_t choose_from(size_t port);
  // The ports with something free that the choice holds least of: those that come next.
  [[nodiscard]] std::vector<size_t> next_round() const;
};

}  // namespace railhead::pool
