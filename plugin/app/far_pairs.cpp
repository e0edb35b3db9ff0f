#include "plugin/app/far_pairs.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "device/assignment.hpp"
#include "device/gpu_ids.hpp"
#include "device/rails.hpp"

namespace railhead::app {
namespace {

using device::PciFunction;

struct ContainerPorts {
  std::set<PciAddress> gpus;
  std::map<PciAddress, std::string> ports;  // and the first of the container's devices on each
  std::set<PciAddress> choice;              // all ports of its resources
};

struct Pair {
  const PciFunction* port = nullptr;
  int64_t distance = 0;
};
using Pairs = std::vector<std::optional<Pair>>;  // by GPU

// An offer of a device to share is "<device>::<share>".
std::string device_of(std::string_view id) { return std::string(id.substr(0, id.find("::"))); }

void add_resource(ContainerPorts& container, const ContainerDevices& given, const pool::Pool& pool,
                  const device::Inventory& inventory) {
  std::set<std::string> devices;
  for (const auto& id : given.devices) devices.insert(device_of(id));
  for (const auto& member : pool.members) {
    const auto* function = inventory.find(member.address);
    if (!function) continue;
    const auto& port = port_of(*function, inventory).address;
    container.choice.insert(port);
    if (devices.contains(member.id)) container.ports.emplace(port, member.id);
  }
}

Pairs nearest(const std::vector<const PciFunction*>& gpus,
              const std::vector<const PciFunction*>& ports, size_t number) {
  std::vector<std::vector<device::Cost>> costs;
  for (const auto* gpu : gpus) {
    auto& row = costs.emplace_back();
    for (const auto* port : ports) {
      row.push_back({0, static_cast<int64_t>(distance(*gpu, *port)), 0, 0});
    }
  }
  const auto columns = device::assign(costs, number);
  Pairs pairs;
  for (size_t i = 0; i < columns.size(); ++i) {
    auto& pair = pairs.emplace_back();
    if (columns[i]) pair = {ports[*columns[i]], costs[i][*columns[i]].distance};
  }
  return pairs;
}

int64_t sum_of(const Pairs& pairs) {
  int64_t sum = 0;
  for (const auto& pair : pairs) {
    if (pair) sum += pair->distance;
  }
  return sum;
}

template <class Addresses>
std::vector<const PciFunction*> functions_of(const Addresses& addresses,
                                             const device::Inventory& inventory) {
  std::vector<const PciFunction*> functions;
  for (const auto& address : addresses) {
    if (const auto* function = inventory.find(address)) functions.push_back(function);
  }
  return functions;
}

std::string path_of(const PciFunction& function) {
  return fmt::format("{}/{}", fmt::join(function.path, "/"), function.address.to_string());
}

std::string_view name_of(int64_t distance) {
  return to_string(static_cast<device::PcieDistance>(distance));
}

void compare(const std::string& name, const ContainerPorts& container,
             const device::Inventory& inventory, std::vector<ipc::FarPair>& far) {
  const auto gpus = functions_of(container.gpus, inventory);
  std::set<PciAddress> own;
  for (const auto& [port, device] : container.ports) own.insert(port);
  const auto ports = functions_of(own, inventory);
  const auto number = std::min(gpus.size(), ports.size());
  if (number == 0) return;
  const auto have = nearest(gpus, ports, number);
  const auto best = nearest(gpus, functions_of(container.choice, inventory), number);
  if (sum_of(have) <= sum_of(best)) return;
  for (size_t i = 0; i < gpus.size(); ++i) {
    if (!have[i] || (best[i] && have[i]->distance <= best[i]->distance)) continue;
    const auto& device = container.ports.at(have[i]->port->address);
    auto text =
        fmt::format("GPU {} and {} are {} apart ({} and {})", gpus[i]->address.to_string(), device,
                    name_of(have[i]->distance), path_of(*gpus[i]), path_of(*have[i]->port));
    if (best[i]) {
      text += fmt::format(", with a device of {} it would be {}",
                          best[i]->port->address.to_string(), name_of(best[i]->distance));
    }
    far.push_back({name, device, std::move(text)});
  }
}

}  // namespace

std::vector<ipc::FarPair> far_pairs(const std::vector<ContainerDevices>& containers,
                                    const std::map<std::string, const pool::Pool*>& pools,
                                    const device::Inventory& inventory) {
  const device::GpuIds gpu_ids(inventory);
  std::map<std::string, ContainerPorts> by_name;
  for (const auto& given : containers) {
    auto& container = by_name[given.container];
    if (const auto pool = pools.find(given.resource); pool != pools.end()) {
      add_resource(container, given, *pool->second, inventory);
      continue;
    }
    for (const auto& id : given.devices) {
      if (const auto gpu = gpu_ids.find(id)) container.gpus.insert(*gpu);
    }
  }
  std::vector<ipc::FarPair> far;
  for (const auto& [name, container] : by_name) compare(name, container, inventory, far);
  return far;
}

}  // namespace railhead::app
