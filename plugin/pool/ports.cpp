#include "plugin/pool/ports.hpp"

#include <algorithm>
#include <map>

#include "device/rails.hpp"

namespace railhead::pool {
namespace {

// PCI order.
struct ByAddress {
  bool operator()(const device::PciFunction* a, const device::PciFunction* b) const {
    return a->address < b->address;
  }
};

std::vector<const device::PciFunction*> gpus_of(const device::Inventory& inventory) {
  std::vector<const device::PciFunction*> gpus;
  for (const auto& function : inventory.functions()) {
    if (function.is_gpu) gpus.push_back(&function);
  }
  return gpus;
}

}  // namespace

Ports::Ports(const std::vector<Offer>& offers, const std::vector<bool>& available,
             const device::Inventory& inventory) {
  std::map<const device::PciFunction*, Port, ByAddress> by_function;
  std::vector<const device::PciFunction*> function_of(offers.size(), nullptr);
  for (size_t i = 0; i < offers.size(); ++i) {
    const auto* device = offers[i].address ? inventory.find(*offers[i].address) : nullptr;
    vf_of_offer.push_back(device ? device->vf_index : std::nullopt);
    if (!device) continue;
    function_of[i] = &device::port_of(*device, inventory);
    auto& port = by_function[function_of[i]];
    port.function = function_of[i];
    if (available[i]) {
      port.free.push_back(i);
    } else {
      ++port.load;
    }
  }
  std::vector<const device::PciFunction*> functions;
  functions.reserve(by_function.size());
  for (const auto& [function, port] : by_function) functions.push_back(function);
  std::map<const device::PciFunction*, size_t> place;
  for (const size_t i : device::rail_order(functions, gpus_of(inventory))) {
    place[functions[i]] = list.size();
    list.push_back(std::move(by_function[functions[i]]));
  }
  for (const auto* function : function_of) {
    of_offer.push_back(function ? std::optional(place[function]) : std::nullopt);
  }
}

void Ports::choose(size_t offer) {
  if (!of_offer[offer]) return;
  auto& port = list[*of_offer[offer]];
  std::erase(port.free, offer);
  ++port.chosen;
}

size_t Ports::choose_from(size_t port) {
  const size_t offer = list[port].free.front();
  choose(offer);
  return offer;
}

std::vector<size_t> Ports::next_round() const {
  std::vector<size_t> next;
  for (size_t p = 0; p < list.size(); ++p) {
    if (list[p].free.empty()) continue;
    if (!next.empty() && list[p].chosen < list[next.front()].chosen) next.clear();
    if (next.empty() || list[p].chosen == list[next.front()].chosen) next.push_back(p);
  }
  return next;
}

}  // namespace railhead::pool
