#include "device/scan.hpp"

#include <algorithm>

#include "device/eswitch.hpp"

namespace railhead::device {
namespace {

void add_ports(const PortsByDevice& ports, std::vector<RdmaDevice>& devices, Warnings& warnings) {
  for (auto& device : devices) {
    const auto known = ports.find(device.name);
    if (!device.in_host_namespace || known == ports.end()) continue;
    device.ports = known->second.ports;
    if (!known->second.error.empty()) warnings.push_back(known->second.error);
  }
}

}  // namespace

Inventory assemble(const LinkFacts& links, const RdmaFacts& rdma, const BusFacts& bus,
                   const std::vector<const GroupFacts*>& groups, const PortsByDevice& ports,
                   const ScanOptions& options) {
  auto warnings = bus.warnings;
  warnings.insert(warnings.end(), rdma.warnings.begin(), rdma.warnings.end());
  size_t count = 0;
  for (const auto* group : groups) count += group->functions.size();
  std::vector<PciFunction> functions;
  functions.reserve(count);
  for (const auto* group : groups) {
    functions.insert(functions.end(), group->functions.begin(), group->functions.end());
    warnings.insert(warnings.end(), group->warnings.begin(), group->warnings.end());
  }
  for (auto& function : functions) {
    join(function.address.to_string(), links, function.netdevs);
    if (function.total_vfs) {
      const auto vfs =
          std::ranges::count_if(function.vfs, [](const auto& vf) { return vf.has_value(); });
      function.eswitch_mode = eswitch_mode_of(function.netdevs, static_cast<size_t>(vfs));
    }
    join(rdma, function.rdma);
    add_ports(ports, function.rdma, warnings);
    for (auto& sub_function : function.sub_functions) {
      join(sub_function.name, links, sub_function.netdevs);
      join(rdma, sub_function.rdma);
    }
    const auto vdpa = bus.vdpa.find(function.address);
    if (vdpa != bus.vdpa.end()) function.vdpa = vdpa->second;
  }
  if (options.topology) {
    for (const auto& address : options.topology->apply(functions)) {
      warnings.push_back(fmt::format(
          "the topology file names {}, which is no network function or GPU of this node",
          address.to_string()));
    }
  }
  return Inventory(std::move(functions), rdma.netns_mode, std::move(warnings));
}

Result<Inventory> scan(const host::Host& host, const ScanOptions& options) {
  const auto links = read_links(host.links);
  if (!links) return pass(links);
  const auto rdma = read_rdma_facts(host.rdma);
  const auto bus = read_bus(host.roots.sysfs, options);
  if (!bus) return pass(bus);
  std::vector<GroupFacts> groups;
  std::vector<const GroupFacts*> all;
  PortsByDevice ports;
  groups.reserve(bus->groups.size());
  for (const auto& group : bus->groups) {
    all.push_back(
        &groups.emplace_back(read_group(host.roots, group, {*links, rdma}, host.devlink, options)));
    for (const auto& device : devices_to_ask(groups.back(), rdma, options)) {
      ports[device.name] = read_ports(host.rdma, device);
    }
  }
  return assemble(*links, rdma, *bus, all, ports, options);
}

}  // namespace railhead::device
