#include "plugin/pool/health.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "device/port_name.hpp"
namespace railhead::pool {
namespace {

using device::RdmaDevice;
using Trouble = std::optional<std::string>;

// enum ib_port_state and ib_port_phys_state (rdma/ib_verbs.h).
constexpr uint8_t kPortActive = 4;
constexpr uint8_t kPhysicalLinkUp = 5;

// Whether it is a port to the wire, and not the representor of a VF.
bool is_to_the_wire(const device::Netdev& netdev) {
  const auto name =
      netdev.phys_port_name ? device::PortName::parse(*netdev.phys_port_name) : std::nullopt;
  return !name || name->is_uplink();
}

// In switchdev mode a PF's RDMA device has a port for each VF, too: the representor's.
std::vector<host::RdmaPort> ports_to_the_wire(const RdmaDevice& device,
                                              const std::vector<device::Netdev>& netdevs) {
  auto ports = device.ports;
  std::erase_if(ports, [&](const auto& port) {
    return std::ranges::any_of(netdevs, [&](const auto& netdev) {
      return netdev.name == port.netdev && !is_to_the_wire(netdev);
    });
  });
  return ports;
}

// What is required of a port, and how it is said that none, or the only one, has it.
struct Requirement {
  bool (*is_met)(const host::RdmaPort&);
  std::string_view none;
  std::string_view only;
};
constexpr Requirement kLink = {
    [](const host::RdmaPort& port) { return port.physical_state == kPhysicalLinkUp; }, "has link",
    "has no link"};
constexpr Requirement kActive = {
    [](const host::RdmaPort& port) { return port.state == kPortActive; }, "is active",
    "is not active"};

// An HCA that is one PCI function may have several ports, of which a cage stays empty: a device is
// in trouble when none of its ports is good. `netdevs`: of the devices' function.
Trouble ports_trouble(const std::vector<RdmaDevice>& devices,
                      const std::vector<device::Netdev>& netdevs, const Requirement& required) {
  for (const auto& device : devices) {
    const auto ports = ports_to_the_wire(device, netdevs);
    if (ports.empty() || std::ranges::any_of(ports, required.is_met)) continue;
    if (ports.size() > 1) return fmt::format("no port of {} {}", device.name, required.none);
    return fmt::format("port {} of {} {}", ports.front().number, device.name, required.only);
  }
  return std::nullopt;
}

// Whether what is sent by this port of a bond goes out by the bond's other ports too: of the VFs in
// switchdev mode (VF LAG, of mlx5 and ice), and where the port's RDMA device is the bond's (RoCE
// LAG). Else a bond is the host's own.
bool goes_by_bond(const Candidate& candidate, const device::Netdev& port) {
  if (!port.bond || !port.bond->has_carrier) return false;
  const auto& function = candidate.port();
  if (candidate.pf && function.eswitch_mode == "switchdev") return true;
  return std::ranges::any_of(function.rdma, [&](const auto& device) {
    return std::ranges::any_of(device.ports,
                               [&](const auto& one) { return one.netdev == port.bond->name; });
  });
}

// Of the port, not of the VF: a VF keeps its own carrier when the PF's cable is cut. An IPoIB
// netdev has carrier only after it was brought up and joined; its RDMA port tells.
Trouble link_trouble(const Candidate& candidate) {
  const auto& port = candidate.port();
  if (candidate.link_type() == "infiniband") return ports_trouble(port.rdma, port.netdevs, kLink);
  std::vector<std::string> names;
  for (const auto& netdev : port.netdevs) {
    if (!is_to_the_wire(netdev)) continue;
    if (netdev.up && netdev.carrier != false) return std::nullopt;
    if (goes_by_bond(candidate, netdev)) return std::nullopt;
    names.push_back(netdev.name);
  }
  if (names.size() > 1) {
    return fmt::format("none of its {} {} has carrier", candidate.pf ? "PF's netdevs" : "netdevs",
                       join(names, ", "));
  }
  const auto* netdev = main_netdev(port);
  if (!netdev) return std::nullopt;
  const auto name = (candidate.pf ? "its PF " : "its netdev ") + netdev->name;
  if (!netdev->up) return name + " is down";
  if (netdev->carrier == false) return name + " has no carrier";
  return std::nullopt;
}

// A RoCE port follows its netdev, which is down while no pod has the VF: then the PF's port is the
// one to look at. An InfiniBand VF has a port state of its own.
Trouble rdma_trouble(const Candidate& candidate) {
  const bool infiniband = candidate.link_type() == "infiniband";
  const auto& own = candidate.rdma();
  if (infiniband) {
    for (const auto& device : own) {
      if (device.in_host_namespace && device.node_guid == Guid{}) {
        return fmt::format("the node GUID of {} is zero: the subnet manager does not know it",
                           device.name);
      }
    }
  }
  const bool own_is_here =
      std::any_of(own.begin(), own.end(), [](const auto& one) { return one.in_host_namespace; });
  const bool netdev_is_up = std::any_of(candidate.netdevs().begin(), candidate.netdevs().end(),
                                        [](const auto& netdev) { return netdev.up; });
  if (own_is_here && (infiniband || !candidate.pf || netdev_is_up)) {
    return ports_trouble(own, candidate.netdevs(), kActive);
  }
  if (!candidate.pf) return std::nullopt;
  return ports_trouble(candidate.pf->rdma, candidate.pf->netdevs, kActive);
}

// What makes a device unfit for any pod, whatever the settings.
Reason sickness_of(const Candidate& candidate, const Knowledge& knowledge) {
  const auto& function = *candidate.function;
  for (const auto& id : {candidate.id(), function.address.to_string()}) {
    const auto sick = knowledge.sick.find(id);
    if (sick != knowledge.sick.end()) return sick->second;
  }
  if (!candidate.port().responds) {
    return {Cause::pci, fmt::format("{} does not answer on the PCI bus; see the kernel's log",
                                    candidate.port().address.to_string())};
  }
  if (!function.iommu_blocked_by.empty()) {
    return {Cause::iommu,
            fmt::format("its IOMMU group {} is not viable: {} in it is bound to a host driver",
                        function.iommu_group.value_or(0),
                        function.iommu_blocked_by.front().to_string())};
  }
  return {};
}

void weigh(config::Concern concern, Trouble trouble, Member& member) {
  if (!trouble || concern == config::Concern::ignore) return;
  if (concern == config::Concern::require && member.sickness.empty()) {
    member.sickness = std::move(*trouble);
    member.cause = Cause::port;
  } else {
    member.concerns.push_back(std::move(*trouble));
  }
}

}  // namespace

std::string_view to_string(Cause cause) {
  switch (cause) {
    case Cause::undo:
      return "undo";
    case Cause::pci:
      return "pci";
    case Cause::iommu:
      return "iommu";
    case Cause::port:
      return "port";
    case Cause::held:
      return "held";
    case Cause::open:
      return "open";
    case Cause::unknown:
      return "unknown";
    case Cause::silent:
      return "silent";
    case Cause::recovering:
      return "recovering";
    case Cause::mode:
      return "mode";
  }
  return "";
}

void judge(const Candidate& candidate, const config::Health& health, const Knowledge& knowledge,
           Member& member) {
  auto reason = sickness_of(candidate, knowledge);
  member.cause = reason.cause;
  member.sickness = std::move(reason.text);
  if (candidate.type() == config::DeviceType::accelerator) return;
  weigh(health.link, link_trouble(candidate), member);
  if (member.rdma) weigh(health.rdma, rdma_trouble(candidate), member);
}

// RDMA devices of another network namespace cannot be opened in exclusive mode, whatever nodes a
// container has (ib_uverbs checks it).
std::string sickness_of(const config::Resource& resource, const device::Inventory& inventory) {
  if (!resource.sharing || resource.sharing->host_network_only ||
      inventory.rdma_netns_mode() != host::RdmaNetnsMode::exclusive) {
    return "";
  }
  return "the node's RDMA devices are in exclusive mode (rdma system show), so that a pod with a "
         "network of its own cannot open those of the host; use shared mode, or hostNetworkOnly: "
         "true for pods with hostNetwork";
}

}  // namespace railhead::pool
